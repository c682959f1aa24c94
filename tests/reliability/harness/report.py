"""Report of a suite: its figures as JSON, printed and written to a file."""

import json
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def write_report(suite: str, figures: dict[str, Any], place: Path | None) -> None:
    """Print figures, date and command; write them to `place` if given."""
    record = {
        "suite": suite,
        "date": datetime.now(UTC).date().isoformat(),
        "command": " ".join(["python", "-m", f"tests.reliability.{suite}", *_arguments()]),
        "python": platform.python_version(),
        "figures": figures,
    }
    write_json(record, place)


def write_json(record: dict[str, Any], place: Path | None) -> None:
    """Print a record; write it to `place` if given."""
    print(json.dumps(record, indent=2))
    if place is not None:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _arguments() -> list[str]:
    """Return the command line without folders of this machine."""
    return [Path(one).name if Path(one).is_absolute() else one for one in sys.argv[1:]]
