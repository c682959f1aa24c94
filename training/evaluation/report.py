"""The report of `evaluate`: a table for each set of pictures, and the measurements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from training.evaluation.measurement import Measurement, to_markdown
from training.evaluation.table import EvaluationTable

HEADING = "# Evaluation"


@dataclass(frozen=True)
class EvaluationReport:
    """An evaluation.

    Attributes:
        tables: one for each set of pictures.
        measurements: of the benchmarks; empty where they were not run.
    """

    tables: Sequence[EvaluationTable]
    measurements: Sequence[Measurement]

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON values.

        For one set: that set's table with `measures` added. For several: `tables`, and `about`
        with the facts that they share.
        """
        measures = (
            {"measures": [m.to_dict() for m in self.measurements]} if self.measurements else {}
        )
        tables = [table.to_dict() for table in self.tables]
        if len(tables) == 1:
            return {**tables[0], **measures}
        return {"about": self.common_facts(), **measures, "tables": tables}

    def common_facts(self) -> dict[str, Any]:
        """Return the facts that are the same for all sets."""
        first, *others = (table.about for table in self.tables)
        return {k: v for k, v in first.items() if all(o.get(k) == v for o in others)}

    def to_markdown(self) -> str:
        """Return the measurements, and under them the table of each set."""
        if not self.measurements and len(self.tables) == 1:
            return self.tables[0].to_markdown()
        parts = [HEADING] + ([to_markdown(self.measurements)] if self.measurements else [])
        for table in self.tables:
            text = table.to_markdown().removeprefix(f"{HEADING}\n\n")
            parts.append(
                f"## {table.about['data']}\n\n{text.replace(chr(10) + '##', chr(10) + '###')}"
            )
        return "\n\n".join(part.rstrip() for part in parts) + "\n"
