"""One set of pictures, and what every method made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from torch import Tensor

from models.geometry import SIZE, hide, hole_mask, to_float, to_uint8
from training.data.memory_dataset import PreparedSplit
from training.evaluation.baselines import TELEA
from training.evaluation.dataset import EvaluationSet, choose_pictures, evenly_spaced
from training.evaluation.methods import (
    NONE,
    TRUE,
    WRONG,
    Filler,
    Method,
    Progress,
    all_methods,
    bundle_methods,
    fill_all,
    median_time,
    with_captions,
)
from training.evaluation.scores import REAL, Scores
from training.metrics.mobilenet import FeatureExtractor

GRID_PICTURES = 24
Grid = tuple[dict[str, Tensor], list[str]]


@dataclass(frozen=True)
class MethodResults:
    """One set of pictures, and what every method made of it.

    Attributes:
        prepared: where the pictures are from.
        split: which of its splits that is.
        pictures: N of them.
        fills: method -> uint8 `(N, 3, 32, 32)`.
        reseeded: the bundle's with the true caption and other noise.
        features: of composites, method and `REAL` -> `(N, D)`; empty without extractor.
        milliseconds: method -> one picture's, of those that were timed.
        seed: of the noise, picture *i*'s being seed + i, and of the wrong captions.
    """

    prepared: PreparedSplit
    split: str
    pictures: EvaluationSet
    fills: Mapping[str, Tensor]
    reseeded: Tensor
    features: Mapping[str, Tensor]
    milliseconds: Mapping[str, float]
    seed: int

    @property
    def name(self) -> str:
        """Source and split."""
        return f"{self.prepared.manifest.source}, {self.split}"

    @property
    def rows(self) -> Tensor:
        """Of the pictures, in the split."""
        return evenly_spaced(len(self.prepared), len(self.pictures))

    @property
    def scores(self) -> Scores:
        """What it comes to."""
        return Scores(self.pictures, self.fills, self.features, self.seed)

    def about(self) -> dict[str, str]:
        """Data, pictures, captions and seed, for the record."""
        pictures = self.pictures
        same = sum(
            pictures.captions[other] == caption
            for other, caption in zip(pictures.others.tolist(), pictures.captions, strict=True)
        )
        return {
            "data": self.name,
            "data digest": self.prepared.digest,
            "pictures": f"{len(pictures)}, evenly spaced through {len(self.prepared)}, "
            f"central {SIZE}×{SIZE}",
            "captions": "the first of each picture; the wrong one is the first of another picture, "
            f"of another class where the data have classes ({same} read the same)",
            "seed": str(self.seed),
        }

    def grid(self) -> Grid:
        """Columns and row labels of the grid: the first pictures, unpicked."""
        pictures = self.pictures
        columns = {
            "context": to_uint8(hide(to_float(pictures.pixels), hole_mask())),
            **{n: pictures.composites(self.fills[n]) for n in (TRUE, NONE, WRONG, TELEA)},
            "real": pictures.pixels,
        }
        labels = [
            f"{caption} [wrong: {pictures.captions[other]}]"
            for caption, other in zip(pictures.captions, pictures.others.tolist(), strict=True)
        ]
        shown = {name: column[:GRID_PICTURES] for name, column in columns.items()}
        return shown, labels[:GRID_PICTURES]


def evaluate_methods(
    filler: Filler,
    others: Mapping[str, Filler],
    prepared: PreparedSplit,
    split: str,
    extractor: FeatureExtractor | None,
    *,
    limit: int | None,
    seed: int,
    batch_size: int,
    progress: Progress,
    timed: bool = True,
) -> MethodResults:
    """Fill the holes of a set by every method, and look at what came out.

    Args:
        filler: of the bundle that is evaluated.
        others: name -> how another bundle fills.
        prepared: the pictures.
        split: what to call them.
        extractor: of features; `None` for none.
        limit: how many pictures, evenly spaced; all where None.
        seed: picture *i* is filled with noise of seed + i.
        batch_size: pictures at a time in the networks; times are always of one at a time.
        progress: told how far each method is.
        timed: whether to take each method's time, one picture after the other.

    Raises:
        EvaluationError: fewer than two pictures, or pictures under 64×64.
    """
    pictures = choose_pictures(prepared, limit, seed)
    methods = all_methods(filler, pictures, seed)
    methods |= {
        name: with_captions(other, pictures, pictures.vectors, seed)
        for name, other in others.items()
    }

    def tell(stage: str, done: int, total: int | None) -> None:
        progress(f"{prepared.manifest.source}: {stage}", done, total)

    fills = run_all(methods, len(pictures), batch_size, tell)
    clocked = methods if timed else {}
    times = {name: median_time(method, len(pictures)) for name, method in clocked.items()}
    return MethodResults(
        prepared=prepared,
        split=split,
        pictures=pictures,
        fills=fills,
        reseeded=reseed(filler, pictures, seed, batch_size, tell),
        features=extract_features(extractor, pictures, fills, batch_size, tell)
        if extractor
        else {},
        milliseconds=times,
        seed=seed,
    )


def evaluate_bundle(
    done: MethodResults, filler: Filler, extractor: FeatureExtractor | None, batch_size: int
) -> MethodResults:
    """Fill the same holes by another bundle, untimed; what the other methods made of them stays.

    Args:
        done: one bundle's, with `extractor`'s features if there are any.
        filler: of the other bundle.
        extractor: of features; `None` for none.
        batch_size: pictures at a time in the networks.
    """
    pictures, seed = done.pictures, done.seed
    methods = bundle_methods(filler, pictures, seed)
    fills = run_all(methods, len(pictures), batch_size, no_progress)
    seen = (
        extract_features(extractor, pictures, fills, batch_size, no_progress) if extractor else {}
    )
    return replace(
        done,
        fills={**done.fills, **fills},
        reseeded=reseed(filler, pictures, seed, batch_size, no_progress),
        features={**done.features, **seen},
        milliseconds={},
    )


def no_progress(stage: str, done: int, total: int | None) -> None:
    """Tell nobody how far a stage is."""


def run_all(
    methods: Mapping[str, Method], count: int, batch_size: int, progress: Progress
) -> dict[str, Tensor]:
    """Return what each method makes of `count` pictures."""
    return {n: fill_all(n, method, count, batch_size, progress) for n, method in methods.items()}


def reseed(
    filler: Filler, pictures: EvaluationSet, seed: int, batch_size: int, progress: Progress
) -> Tensor:
    """Fill with the true captions and the noise that comes next."""
    again = with_captions(filler, pictures, pictures.vectors, seed + len(pictures))
    return fill_all("another seed", again, len(pictures), batch_size, progress)


def extract_features(
    extractor: FeatureExtractor,
    pictures: EvaluationSet,
    fills: Mapping[str, Tensor],
    batch_size: int,
    progress: Progress,
) -> dict[str, Tensor]:
    """Features of every method's composites and of the real pictures, as `REAL`."""
    features = {}
    for name, fill in {**fills, REAL: pictures.centres}.items():
        features[name] = extractor(pictures.composites(fill), batch_size)
        progress("features", len(features), len(fills) + 1)
    return features
