"""The command `sample`: a grid of a bundle's or a run's fills."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from models.runtime.bundle import load_bundle
from training.common.errors import RunError
from training.common.output_files import check_output
from training.config.image_spec import INPAINT_SPEC, ImageSpec
from training.data.batches import load_sets
from training.inference.sample_grid import SampleGridWriter
from training.runs.load_run import NEWEST, load_run
from training.runs.run_dir import RECORD


def write_samples(
    place: Path,
    data: Sequence[Path],
    out: Path,
    *,
    split: str,
    rows: int,
    seed: int = 0,
    which: str = NEWEST,
    temperatures: Sequence[float] = (),
) -> None:
    """Write a grid of a generator's fills of a split's images.

    Args:
        place: a bundle, or a run directory.
        data: prepared folders.
        out: PNG to write.
        split: of the data.
        rows: number of images; of an unconditional system, rows of eight.
        seed: of the choice of images and of the noise.
        which: of a run's checkpoints, `newest` or `best`.
        temperatures: of the noise; a column for each, with the true caption.

    Raises:
        RunError, BundleError: no run or bundle there; temperatures for an unconditional system;
            or the PNG cannot be written.
        PreparedDataError: no such data or split, too small pictures, or captions of another
            sentence encoder than the generator's.
    """
    check_output(out)
    cpu = torch.device("cpu")
    generator, picture, encoder = load_generator(place, which, data)
    if temperatures and picture.hole == "all":
        raise RunError(f"{place} generates whole images: --temperature does not apply")
    # A few images are shown: the others need not be in memory.
    sets = load_sets(data, split, picture.window, keep=rows, encoder_fingerprint=encoder)
    sampler = SampleGridWriter(sets, out.parent, seed, cpu, picture)
    sampler.grid(out, generator.to(cpu), seed, rows, temperatures)


def load_generator(
    place: Path, which: str, data: Sequence[Path]
) -> tuple[nn.Module, ImageSpec, str | None]:
    """Return a bundle's or a run's generator, image spec and encoder fingerprint.

    The fingerprint is None where the generator reads no captions.
    """
    if not (place / RECORD).is_file():
        bundle = load_bundle(place)
        return bundle.generator, INPAINT_SPEC, bundle.config.encoder_fingerprint
    loaded = load_run(place, which, data)
    return loaded.generator, loaded.recipe.picture, loaded.encoder_fingerprint
