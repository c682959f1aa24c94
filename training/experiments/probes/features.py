"""Labelled pictures, and a discriminator's activations for them as feature vectors."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_max_pool2d

from models.discriminator_outputs import Reconstruction
from models.discriminators import DISCRIMINATORS
from models.geometry import to_float
from training.common.errors import PictureError, SourceError
from training.data.image_io import decode_png, square_png
from training.data.sources.base import Example
from training.data.sources.cifar10 import read_cifar10
from training.runs.checkpoints.train_state import build_network
from training.runs.load_run import LoadedRun

GRID = 4
BATCH_SIZE = 64

FEATURES = (
    "every level's activations, max-pooled to a 4×4 grid, flattened and concatenated (Radford et "
    "al. 2015, §5.1)"
)
CODE = "the code of the autoencoder, the features of a BEGAN's discriminator"


@dataclass(frozen=True)
class Labelled:
    """N pictures, uint8 `(N, 3, S, S)`, and the names of their classes."""

    pixels: Tensor
    labels: np.ndarray


def draw_cifar10(place: Path, counts: dict[str, int], size: int, seed: int) -> dict[str, Labelled]:
    """Draw pictures of each split, read as `prepare cifar10` reads them.

    `counts` says how many of each split (`train`, `test`); `size` is the side of the pictures.

    Raises:
        SourceError: it is not there, or a split has fewer pictures than asked for.
    """
    if not place.exists():
        raise SourceError(f"{place}: no such file or folder")
    found: dict[str, list[tuple[bytes, str]]] = {split: [] for split in counts}
    for item in read_cifar10(place):
        if isinstance(item, Example) and item.split in found:
            found[item.split].append((item.read(), item.label))
    return {split: draw_split(found[split], split, counts[split], size, seed) for split in counts}


def draw_split(
    files: list[tuple[bytes, str]], split: str, count: int, size: int, seed: int
) -> Labelled:
    """Draw so many of a split's files, and decode them."""
    if len(files) < count:
        raise SourceError(f"the split {split!r} has {len(files)} pictures, not {count}")
    rows = np.random.default_rng(seed).permutation(len(files))[:count].tolist()
    try:
        pictures = np.stack([decode_png(square_png(files[row][0], size)) for row in rows])
    except PictureError as error:
        raise SourceError(f"a picture of the split {split!r} {error}") from error
    pixels = torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous()
    return Labelled(pixels, np.array([files[row][1] for row in rows]))


@torch.inference_mode()
def extract_features(discriminator: nn.Module, pixels: Tensor, dim: int) -> Tensor:
    """Return a discriminator's features of pictures, without a caption, float32 `(N, D)`.

    Of one that scores, every level max-pooled to 4×4; of an autoencoder, the code.

    Args:
        discriminator: in evaluation mode.
        pixels: uint8 `(N, 3, S, S)`, of the size it was built for.
        dim: length of a caption vector.
    """
    device = next(discriminator.parameters()).device
    found = []
    for part in torch.split(pixels, BATCH_SIZE):
        output = discriminator(
            to_float(part.to(device)), torch.zeros(len(part), dim, device=device)
        )
        if isinstance(output, Reconstruction):
            found.append(output.code.flatten(1).float().cpu())
        else:
            pooled = [adaptive_max_pool2d(level, GRID).flatten(1) for level in output.features]
            found.append(torch.cat(pooled, dim=1).float().cpu())
    return torch.cat(found)


def fresh_discriminator(loaded: LoadedRun, seed: int) -> nn.Module:
    """Build a run's discriminator with freshly drawn weights."""
    torch.manual_seed(seed)
    dim = loaded.run.any_data_record().caption_dim
    fresh = build_network(loaded.recipe.discriminator, DISCRIMINATORS, dim)
    return fresh.eval()
