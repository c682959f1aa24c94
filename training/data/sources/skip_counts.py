"""Counts of skipped pictures by kind of reason."""

import re
from collections import Counter
from dataclasses import dataclass, field

LOGGED_PER_KIND = 3  # items of each kind named in the log
MAX_KINDS = 20  # listed in a summary
# Names and numbers in a reason are replaced to obtain its kind.
DETAIL_PATTERN = re.compile(
    r"""'[^']*'|"[^"]*"|\b[0-9a-f]*\d[0-9a-f]*\b|[^\s()]+\.\w+(?=[\s:),]|$)"""
)


@dataclass
class SkipCounts:
    """Number of skipped items by kind of reason.

    Attributes:
        counts: by kind.
        first: the first reason of each kind, unchanged.
    """

    counts: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)

    def add(self, reason: str) -> int:
        """Count a reason; return the count of its kind."""
        kind = DETAIL_PATTERN.sub("…", reason)
        self.first.setdefault(kind, reason)
        self.counts[kind] += 1
        return self.counts[kind]

    def summary(self) -> list[str]:
        """Return lines with count and kind, the most frequent first."""
        lines = [
            f"{count:,} × {self.first[kind] if count == 1 else kind}"
            for kind, count in self.counts.most_common(MAX_KINDS)
        ]
        others = len(self.counts) - len(lines)
        return [*lines, f"… and {others:,} more reasons"] if others > 0 else lines
