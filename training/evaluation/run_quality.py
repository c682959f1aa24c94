"""Quality of a run's images: KID, diversity, and the hole's PSNR where there is a hole."""

from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor, nn

from models.geometry import to_uint8
from training.common.errors import RunError
from training.data.batches import Batch
from training.evaluation.metrics.definitions import DEFINITIONS, DIVERSITY_DEFINITION
from training.evaluation.metrics.diversity import diversity
from training.evaluation.metrics.image_metrics import ExtractFeatures, ImageMetrics
from training.evaluation.metrics.kid import KID_MIN_IMAGES
from training.runs.checkpoints.train_state import memory_format
from training.runs.generate import generate
from training.runs.load_run import LoadedRun


class Generated(NamedTuple):
    """Generated images, uint8 `(N, 3, S, S)`: composites, or whole images, made of noise alone.

    The real ones are of the same shape; composite *i* was made of row *i*.
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

    There are `count`, or all of a smaller split; by default the held-out one of the run's own data.

    Raises:
        PreparedDataError: no such folder or split.
    """
    batch = loaded.batch(loaded.held_out(data, split), count, seed)
    return batch, generate_for(loaded, loaded.generator, batch, seed)


def generate_for(loaded: LoadedRun, generator: nn.Module, batch: Batch, seed: int) -> Generated:
    """Generate an image for each row of a batch, by the run's generator at any step."""
    layout = memory_format(loaded.recipe.engine)
    pictures = generate(generator, batch, loaded.noise(len(batch.images), seed), layout)
    return Generated(pictures, to_uint8(batch.images), loaded.unconditional)


def measure(generated: Generated, seed: int, extractor: ExtractFeatures) -> dict[str, Any]:
    """Measure generated images; the seed is of KID's subsets and the intervals.

    Returns:
        `pictures`, their number; `kid` (mean, spread over the subsets, subset_size, subsets);
        `diversity` (mean, low, high); and of composites `hole_psnr` in dB.

    Raises:
        RunError: fewer than four pictures.
    """
    count = len(generated.reals)
    metrics = ImageMetrics.extract(generated.pictures, generated.reals, extractor, seed)
    kid, features, of_real = metrics.kid, metrics.features, metrics.real_features
    if kid is None or features is None or of_real is None:
        raise RunError(f"KID needs {KID_MIN_IMAGES} pictures; there are {count}")
    if not generated.whole:
        features, of_real = extractor(metrics.fills), extractor(metrics.centres)
    found = {
        "pictures": count,
        "kid": asdict(kid),
        "diversity": asdict(diversity(features, of_real, seed)),
    }
    psnr = {} if generated.whole else {"hole_psnr": float(metrics.hole_psnr.mean())}
    return found | psnr


def definitions(*, whole: bool) -> dict[str, str]:
    """Return the definitions of the metrics, by name."""
    named = {"kid": DEFINITIONS["kid"], "diversity": DIVERSITY_DEFINITION}
    return named if whole else named | {"hole_psnr": DEFINITIONS["hole_psnr"]}
