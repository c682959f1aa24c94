"""What a run's pictures are worth: KID, diversity, and the hole's PSNR where there is a hole."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor, nn

from models.geometry import centre, to_uint8
from training.common.errors import RunError
from training.data.batches import Batch
from training.inference.generate import generate
from training.metrics.diversity import DIVERSITY, diversity
from training.metrics.images import DEFINITIONS, KID_LEAST, hole_psnr, kid
from training.runs.load_run import LoadedRun
from training.runs.train_state import memory_format

Features = Callable[[Tensor], Tensor]
"""Pictures, uint8 `(N, 3, H, W)`, to their features, float `(N, D)`."""


class Generated(NamedTuple):
    """What a generator made, beside real pictures at the run's own size and view.

    Attributes:
        pictures: uint8 `(N, 3, S, S)`: whole pictures, or composites.
        reals: uint8 `(N, 3, S, S)`; row *i* is what composite *i* was made of.
        whole: whether the pictures were made whole, of noise alone.
    """

    pictures: Tensor
    reals: Tensor
    whole: bool


def measure(
    loaded: LoadedRun,
    count: int,
    seed: int,
    extractor: Features,
    *,
    data: Path | None = None,
    split: str | None = None,
) -> dict[str, Any]:
    """Measure a run on pictures that it was not trained on.

    Args:
        loaded: the run.
        count: pictures; where the split holds fewer, all of them.
        seed: of the pictures, the noise, KID's subsets and the intervals.
        extractor: of features, see `need_extractor`.
        data: a prepared folder; the run's own by default.
        split: of it; the one to choose models on by default.

    Returns:
        What `figures` returns.

    Raises:
        RunError: fewer than four pictures.
        PreparedDataError: the folder or split is not there.
    """
    return figures(sample(loaded, count, seed, data=data, split=split)[1], seed, extractor)


def sample(
    loaded: LoadedRun, count: int, seed: int, *, data: Path | None, split: str | None
) -> tuple[Batch, Generated]:
    """Draw pictures that the run was not trained on, and let its generator make as many.

    The arguments are those of `measure`.
    """
    batch = loaded.batch(loaded.held_out(data, split), count, seed)
    return batch, make(loaded, loaded.generator, batch, seed)


def make(loaded: LoadedRun, generator: nn.Module, batch: Batch, seed: int) -> Generated:
    """Let a generator of the run's recipe make a picture for each of a batch.

    Args:
        loaded: the run.
        generator: the run's, at any step.
        batch: of real pictures.
        seed: of the noise.
    """
    layout = memory_format(loaded.recipe.engine)
    pictures = generate(generator, batch, loaded.noise(len(batch.images), seed), layout)
    return Generated(pictures, to_uint8(batch.images), loaded.unconditional)


def figures(made: Generated, seed: int, extractor: Features) -> dict[str, Any]:
    """Measure what was made.

    Returns:
        `pictures`, how many; `kid` of the whole pictures or composites (mean, spread over the
        subsets, subset_size, subsets); `diversity` (mean, low, high); and of composites
        `hole_psnr` in dB.

    Raises:
        RunError: fewer than four pictures.
    """
    if len(made.reals) < KID_LEAST:
        raise RunError(f"KID needs {KID_LEAST} pictures; there are {len(made.reals)}")
    features, reference = extractor(made.pictures), extractor(made.reals)
    found: dict[str, Any] = {"pictures": len(made.reals)}
    found["kid"] = asdict(kid(features, reference, seed))
    if made.whole:
        return found | {"diversity": asdict(diversity(features, reference, seed))}
    fills, centres = centre(made.pictures), centre(made.reals)
    return found | {
        "diversity": asdict(diversity(extractor(fills), extractor(centres), seed)),
        "hole_psnr": float(hole_psnr(fills, centres).mean()),
    }


def definitions(*, whole: bool) -> dict[str, str]:
    """Return what the figures mean, by name."""
    named = {"kid": DEFINITIONS["kid"], "diversity": DIVERSITY}
    return named if whole else named | {"hole_psnr": DEFINITIONS["hole_psnr"]}
