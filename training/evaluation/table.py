"""An evaluation as a table: dataclasses, JSON and Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from training.metrics.confidence import Interval
from training.metrics.definitions import DEFINITIONS
from training.metrics.kid import Kid

HEADINGS = (
    "method",
    "hole-PSNR, dB ↑",
    "L1, levels ↓",
    "SSIM ↑",
    "KID ×10³ ↓",
    "seam ratio (1 = real)",
    "ms an image",
)
HOW_TO_READ = (
    "Another image's centre is the warning: real texture in the wrong place, which KID alone "
    "rewards and hole-PSNR sees through. With a blur it is the other way about, so read the two "
    "together. The row of the real pictures is what KID makes of no difference at all."
)


@dataclass(frozen=True)
class TableRow:
    """One method on all pictures; `None` where a figure has no meaning or was not measured."""

    method: str
    hole_psnr: float | None
    l1: float | None
    ssim: float | None
    kid: Kid | None
    seam_ratio: float | None
    milliseconds: float | None


@dataclass(frozen=True)
class CaptionEffect:
    """What the true caption changes against another, paired by picture, the noise the same.

    Attributes:
        against: "wrong caption" or "no caption".
        fill_moves: mean absolute difference between the two fills, in 8-bit levels.
        l1_gain: how many levels of L1 the true caption is better by; above 0 is a gain.
        feature_gain: the same for the distance of the composite's features to the real
            picture's; `None` without the extractor.
    """

    against: str
    fill_moves: float
    l1_gain: Interval
    feature_gain: Interval | None


@dataclass(frozen=True)
class EvaluationTable:
    """One bundle and its alternatives on the same pictures.

    Attributes:
        about: bundle, data, split, counts, seed, extractor and machine, for the record.
        rows: one a method.
        captions: the true caption against a wrong one and against none.
        seed_moves: mean absolute difference in levels between two fills that differ in their
            noise alone: the measure for `fill_moves`.
        kid_missing: why KID was not measured; empty where it was.
    """

    about: dict[str, Any]
    rows: Sequence[TableRow]
    captions: Sequence[CaptionEffect]
    seed_moves: float
    kid_missing: str

    def row(self, method: str) -> TableRow:
        """Return the row of a method.

        Raises:
            KeyError: no such method.
        """
        return {row.method: row for row in self.rows}[method]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as what JSON can hold, with the definitions of the columns."""
        return {**asdict(self), "definitions": DEFINITIONS}

    def to_markdown(self) -> str:
        """Return the table, the effect of captions, the definitions and the provenance."""
        parts = [
            "# Evaluation",
            markdown_table(HEADINGS, [_cells(row, self.kid_missing) for row in self.rows]),
            HOW_TO_READ,
            "## What the caption does",
            markdown_table(
                ("true caption against", "fill moves, levels", "L1 gain", "feature-distance gain"),
                [_caption_cells(effect) for effect in self.captions],
            ),
            "Gains are paired by picture with a bootstrap 95% interval; above 0 the true caption "
            f"is better. Another noise seed alone moves the fill by {self.seed_moves:.2f} levels.",
            "## Definitions",
            "\n".join(f"- **{name}**: {text}." for name, text in DEFINITIONS.items()),
            "## Provenance",
            "\n".join(f"- {name}: {value}" for name, value in self.about.items()),
        ]
        return "\n\n".join(parts) + "\n"


def _cells(row: TableRow, kid_missing: str) -> list[str]:
    return [
        row.method,
        _number(row.hole_psnr, 2),
        _number(row.l1, 2),
        _number(row.ssim, 3),
        _kid_cell(row.kid, kid_missing),
        _number(row.seam_ratio, 2),
        _number(row.milliseconds, 2),
    ]


def _kid_cell(kid: Kid | None, missing: str) -> str:
    if kid is None:
        return f"not measured: {missing}"
    return f"{1000 * kid.mean:.2f} ± {1000 * kid.spread:.2f}"


def _caption_cells(effect: CaptionEffect) -> list[str]:
    gains = (effect.l1_gain, effect.feature_gain)
    return [effect.against, _number(effect.fill_moves, 2), *(_interval(gain) for gain in gains)]


def _interval(gain: Interval | None) -> str:
    return f"{gain.mean:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]" if gain else "not measured"


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def markdown_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table: texts to the left in the first column, numbers right in others."""
    align = ["---"] + ["---:"] * (len(headings) - 1)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (headings, align, *rows))
