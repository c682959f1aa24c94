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
        "command": " ".join(["python", "-m", f"tests.reliability.{suite}", *sys.argv[1:]]),
        "python": platform.python_version(),
        "figures": figures,
    }
    print(json.dumps(record, indent=2))
    if place is not None:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
