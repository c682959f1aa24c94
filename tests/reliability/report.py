"""What a suite measured: printed for people, and as JSON for whoever compares."""

import json
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def leave(suite: str, figures: dict[str, Any], place: Path | None) -> None:
    """Print a suite's figures, and write them with date and command where a place is given."""
    record = {
        "suite": suite,
        "date": datetime.now(UTC).date().isoformat(),
        "command": " ".join(["python", "-m", f"tests.reliability.{suite}", *_arguments()]),
        "python": platform.python_version(),
        "figures": figures,
    }
    print(json.dumps(record, indent=2))
    if place is not None:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _arguments() -> list[str]:
    """The command line, less where this machine keeps things."""
    return [Path(one).name if Path(one).is_absolute() else one for one in sys.argv[1:]]
