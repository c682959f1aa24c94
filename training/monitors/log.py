"""The file `findings.jsonl` of a run: the monitors' findings, a line each."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from training.monitors.base import Finding

FINDINGS = "findings.jsonl"


def record_findings(folder: Path, findings: Iterable[Finding]) -> list[Finding]:
    """Append findings to the file, and return those that are new.

    A run resumed from before a finding makes it again; it is not written twice.
    """
    known = read_findings(folder)
    new = [finding for finding in findings if asdict(finding) not in known]
    if new:
        with (folder / FINDINGS).open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(asdict(finding)) + "\n" for finding in new)
    return new


def read_findings(folder: Path) -> list[dict[str, Any]]:
    """Read a run's findings, oldest first; a last line cut short by a kill is skipped."""
    path = folder / FINDINGS
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines if line.endswith("}")]
