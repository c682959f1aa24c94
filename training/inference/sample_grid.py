"""Sample grids: of a run with fixed and with fresh images, and the command `sample`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from models.geometry import hide, paste, to_uint8
from models.runtime.bundle import load_bundle
from models.seeded_noise import seeded_noise
from training.common.errors import RunError
from training.common.image_grid import save_grid
from training.common.output_files import check_output
from training.config.image_spec import INPAINT_SPEC, ImageSpec
from training.data.batches import (
    Batch,
    ImageDataset,
    first_captions,
    join_batches,
    load_sets,
    plain_batch,
)
from training.data.sampling import mix_seed
from training.runs.checkpoints.train_state import evaluating
from training.runs.load_run import NEWEST, load_run
from training.runs.run_dir import RECORD

ROWS = 8
DRAWS = 8  # samples in a row, of an unconditional system
# Random stream of the fresh grids.
FRESH_STREAM = 2


@dataclass(frozen=True)
class SampleGridWriter:
    """Writes `fixed-….png` and `fresh-….png` to a folder.

    A row has the context, two fills with the image's caption, one without, one with another
    caption, and the real image. Of an unconditional system it has eight samples and a real image.
    """

    sets: Sequence[ImageDataset]
    folder: Path
    seed: int
    device: torch.device
    picture: ImageSpec = INPAINT_SPEC

    def write(self, step: int, generator: nn.Module) -> dict[str, Path]:
        """Write both grids and return their paths by name; the generator keeps its mode."""
        paths = {name: self.folder / f"{name}-{step:08d}.png" for name in ("fixed", "fresh")}
        with evaluating(generator):
            self.grid(paths["fixed"], generator, mix_seed(self.seed, 0))
            self.grid(paths["fresh"], generator, mix_seed(self.seed, mix_seed(FRESH_STREAM, step)))
        return paths

    @torch.inference_mode()
    def grid(
        self,
        path: Path,
        generator: nn.Module,
        seed: int,
        rows: int = ROWS,
        temperatures: Sequence[float] = (),
    ) -> None:
        """Write a grid of `rows` images, which depends on the seed alone.

        For `temperatures`, scales of the noise, it has a column each instead of those that differ
        in noise and caption.
        """
        batch, texts = self._pictures(torch.Generator().manual_seed(seed), rows)
        alone = self.picture.hole == "all"
        noises = self._noises(generator, seed, rows, DRAWS if alone else 2)
        context = hide(batch.images, batch.mask)

        def composite(caption: Tensor, noise: Tensor) -> Tensor:
            fill = generator(context, batch.mask, caption, noise)
            return paste(context, batch.mask, fill.float())

        if alone:
            columns = {f"{i + 1}": composite(batch.caption, z) for i, z in enumerate(noises)}
            texts = []
        elif temperatures:
            columns = {"context": context} | {
                f"temperature {hot:g}": composite(batch.caption, noises[0] * hot)
                for hot in temperatures
            }
        else:
            first, second = noises
            columns = {
                "context": context,
                "true caption": composite(batch.caption, first),
                "other noise": composite(batch.caption, second),
                "no caption": composite(torch.zeros_like(batch.caption), first),
                "wrong caption": composite(batch.caption.roll(1, dims=0), first),
            }
        columns["real"] = batch.images
        save_grid(path, {name: to_uint8(tiles) for name, tiles in columns.items()}, texts)

    def _noises(self, generator: nn.Module, seed: int, rows: int, draws: int) -> list[Tensor]:
        """Draw noise `(rows, noise_dim)` for each of so many columns."""
        noise_dim = int(generator.settings.noise_dim)  # type: ignore[arg-type, union-attr]
        seeds = [mix_seed(seed, i) for i in range(draws * rows)]
        noise = torch.from_numpy(seeded_noise(seeds, noise_dim))
        return list(noise.to(self.device).chunk(draws))

    def _pictures(self, rng: torch.Generator, rows: int) -> tuple[Batch, list[str]]:
        """Draw pictures evenly from every set, upright, each with its first caption."""
        counts = [len(part) for part in torch.arange(rows).tensor_split(len(self.sets))]
        parts, texts = [], []
        for pictures, count in zip(self.sets, counts, strict=True):
            chosen = torch.randint(len(pictures), (count,), generator=rng)
            parts.append(plain_batch(pictures, chosen, self.picture))
            texts += first_captions(pictures, chosen)
        return Batch(*(field.to(self.device) for field in join_batches(parts))), texts


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
        rows: number of images; of an unconditional system, rows of eight samples.
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
