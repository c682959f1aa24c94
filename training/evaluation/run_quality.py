"""Quality of a run's images: KID, diversity, and the hole's PSNR where there is a hole."""

from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor, nn

from models.geometry import to_uint8
from training.common.errors import RunError
from training.data.batches import Batch
from training.inference.generate import generate
from training.metrics.definitions import DEFINITIONS, DIVERSITY_DEFINITION
from training.metrics.diversity import diversity
from training.metrics.image_metrics import ExtractFeatures, ImageMetrics
from training.metrics.kid import KID_MIN_IMAGES
from training.runs.load_run import LoadedRun
from training.runs.train_state import memory_format


class Generated(NamedTuple):
    """Generated images beside real ones, at the run's own size.

    Attributes:
        pictures: uint8 `(N, 3, S, S)`: composites, or whole images.
        reals: uint8 `(N, 3, S, S)`; composite *i* was made of row *i*.
        whole: whether the images were generated whole, of noise alone.
    """

    pictures: Tensor
    reals: Tensor
    whole: bool


def sample(
    loaded: LoadedRun,
    count: int,
    seed: int,
    *,
    data: Path | None = None,
    split: str | None = None,
) -> tuple[Batch, Generated]:
    """Draw pictures that the run was not trained on, and generate as many.

    Args:
        loaded: the run.
        count: pictures; all of the split where it holds fewer.
        seed: of the pictures and the noise.
        data: a prepared folder; the run's own by default.
        split: of it; the held-out one by default.

    Raises:
        PreparedDataError: no such folder or split.
    """
    batch = loaded.batch(loaded.held_out(data, split), count, seed)
    return batch, generate_for(loaded, loaded.generator, batch, seed)


def generate_for(loaded: LoadedRun, generator: nn.Module, batch: Batch, seed: int) -> Generated:
    """Generate an image for each row of a batch.

    Args:
        loaded: the run.
        generator: of the run, at any step.
        batch: of real pictures.
        seed: of the noise.
    """
    layout = memory_format(loaded.recipe.engine)
    pictures = generate(generator, batch, loaded.noise(len(batch.images), seed), layout)
    return Generated(pictures, to_uint8(batch.images), loaded.unconditional)


def measure(generated: Generated, seed: int, extractor: ExtractFeatures) -> dict[str, Any]:
    """Measure generated images.

    Args:
        generated: the images.
        seed: of KID's subsets and the intervals.
        extractor: of features, see `require_extractor`.

    Returns:
        `pictures`, their number; `kid` (mean, spread over the subsets, subset_size, subsets);
        `diversity` (mean, low, high); and of composites `hole_psnr` in dB.

    Raises:
        RunError: fewer than four pictures.
    """
    count = len(generated.reals)
    metrics = ImageMetrics.extract(generated.pictures, generated.reals, extractor, seed)
    kid = metrics.kid
    if kid is None or metrics.features is None or metrics.real_features is None:
        raise RunError(f"KID needs {KID_MIN_IMAGES} pictures; there are {count}")
    found = {"pictures": count, "kid": asdict(kid)}
    if generated.whole:
        interval = diversity(metrics.features, metrics.real_features, seed)
        return found | {"diversity": asdict(interval)}
    interval = diversity(extractor(metrics.fills), extractor(metrics.centres), seed)
    return found | {
        "diversity": asdict(interval),
        "hole_psnr": float(metrics.hole_psnr.mean()),
    }


def definitions(*, whole: bool) -> dict[str, str]:
    """Return the definitions of the metrics, by name."""
    named = {"kid": DEFINITIONS["kid"], "diversity": DIVERSITY_DEFINITION}
    return named if whole else named | {"hole_psnr": DEFINITIONS["hole_psnr"]}
