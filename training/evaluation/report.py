"""What `evaluate` leaves: a table for each set of pictures, and the figures of the measures."""

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
        tables: one a set of pictures.
        figures: of the measures; none where they were not taken.
    """

    tables: Sequence[EvaluationTable]
    figures: Sequence[Measurement]

    def to_dict(self) -> dict[str, Any]:
        """Everything as what JSON can hold.

        Of one set it is that set's table with `measures` added; of several, `tables` has them,
        and `about` what they share.
        """
        measures = {"measures": [f.to_dict() for f in self.figures]} if self.figures else {}
        tables = [table.to_dict() for table in self.tables]
        if len(tables) == 1:
            return {**tables[0], **measures}
        return {"about": self.shared(), **measures, "tables": tables}

    def shared(self) -> dict[str, Any]:
        """What is the same of all sets."""
        first, *others = (table.about for table in self.tables)
        return {k: v for k, v in first.items() if all(o.get(k) == v for o in others)}

    def to_markdown(self) -> str:
        """Return the measures, and under them the table of each set."""
        if not self.figures and len(self.tables) == 1:
            return self.tables[0].to_markdown()
        parts = [HEADING] + ([to_markdown(self.figures)] if self.figures else [])
        for table in self.tables:
            text = table.to_markdown().removeprefix(f"{HEADING}\n\n")
            parts.append(
                f"## {table.about['data']}\n\n{text.replace(chr(10) + '##', chr(10) + '###')}"
            )
        return "\n\n".join(part.rstrip() for part in parts) + "\n"
