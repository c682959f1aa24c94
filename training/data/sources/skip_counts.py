"""Counts why pictures are passed over, by kinds of reason."""

import re
from collections import Counter
from dataclasses import dataclass, field

EXAMPLES = 3  # of each kind that are named in the log
KINDS = 20  # that a summary lists
# Names and numbers inside a reason do not make another kind of it.
PARTICULAR = re.compile(r"""'[^']*'|"[^"]*"|\b[0-9a-f]*\d[0-9a-f]*\b|[^\s()]+\.\w+(?=[\s:),]|$)""")


@dataclass
class SkipCounts:
    """How often each kind of reason was met, and the first reason of each kind.

    Attributes:
        counts: by kind.
        first: the first reason met of each kind, as it was given.
    """

    counts: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)

    def add(self, reason: str) -> int:
        """Count a reason; return how often its kind has been met so far."""
        kind = PARTICULAR.sub("…", reason)
        self.first.setdefault(kind, reason)
        self.counts[kind] += 1
        return self.counts[kind]

    def summary(self) -> list[str]:
        """Return a line for each kind, the most frequent first: how many, and why."""
        lines = [
            f"{count:,} × {self.first[kind] if count == 1 else kind}"
            for kind, count in self.counts.most_common(KINDS)
        ]
        others = len(self.counts) - len(lines)
        return [*lines, f"… and {others:,} more reasons"] if others > 0 else lines
