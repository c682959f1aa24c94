"""Markdown tables of the generated pages."""

import re
from collections.abc import Iterable, Sequence


def cell(text: object) -> str:
    """Return text that fits into one cell of a table."""
    return re.sub(r"\s+", " ", str(text).replace("``", "`")).replace("|", "\\|").strip()


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(cell, line)) + " |" for line in lines) + "\n"
