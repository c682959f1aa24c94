"""What a comparison of runs takes, and what it returns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from PIL import Image

from training.runs.load_run import LoadedRun

Picture = Image.Image | Figure


class RankBy(StrEnum):
    """A metric of a single picture."""

    FEATURE_DISTANCE = "feature_distance"
    HOLE_PSNR = "hole_psnr"
    L1 = "l1"
    SSIM = "ssim"


@dataclass(frozen=True)
class Request:
    """The arguments of a comparison.

    Attributes:
        folders: run directories; the first is the one that others are compared with.
        data: prepared folders; empty for the runs' own.
        split: of the data; `None` for the held-out one.
        count: pictures.
        seed: of noise, subsets and resamples.
        which: checkpoint: `newest`, `best`, or a step.
        draws: samples of a picture, to measure how they differ.
        rank_by: what the best and the worst pictures are found by.
        rows: of every grid.
        sort_by: the measure that orders the runs.
    """

    folders: Sequence[Path]
    data: Sequence[Path]
    split: str | None
    count: int
    seed: int
    which: str
    draws: int
    rank_by: RankBy
    rows: int
    sort_by: str

    @property
    def folder(self) -> Path | None:
        """The first data folder."""
        return self.data[0] if self.data else None


@dataclass(frozen=True)
class Comparison:
    """The result of a comparison.

    Attributes:
        runs: that were compared.
        results: JSON values.
        table: Markdown.
        picture: the main picture.
        pictures: further pictures by the name that their file ends in.
    """

    runs: Sequence[LoadedRun]
    results: Mapping[str, Any]
    table: str
    picture: Picture
    pictures: Mapping[str, Picture] = field(default_factory=dict)
