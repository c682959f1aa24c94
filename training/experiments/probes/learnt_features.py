"""A discriminator's activations for a picture, as one feature vector."""

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_max_pool2d

from models.discriminator_outputs import Reconstruction
from models.discriminators import DISCRIMINATORS
from models.geometry import to_float
from training.runs.load_run import LoadedRun
from training.runs.train_state import build_network

GRID = 4
BATCH_SIZE = 64

FEATURES = (
    "every level's activations, max-pooled to a 4×4 grid, flattened and concatenated (Radford et "
    "al. 2015, §5.1)"
)
CODE = "the code of the autoencoder, the features of a BEGAN's discriminator"


@torch.inference_mode()
def extract_features(discriminator: nn.Module, pixels: Tensor, dim: int) -> Tensor:
    """Return a discriminator's features of pictures, without a caption.

    Args:
        discriminator: in evaluation mode.
        pixels: uint8 `(N, 3, S, S)`, of the size it was built for.
        dim: length of a caption vector.

    Returns:
        float32 `(N, D)` on the CPU: of one that scores, every level max-pooled to 4×4; of an
        autoencoder, the code.
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
    fresh = build_network(loaded.recipe.discriminator, DISCRIMINATORS, caption_dim(loaded))
    return fresh.eval()


def caption_dim(loaded: LoadedRun) -> int:
    """Return the length of the captions that a run was trained with."""
    return loaded.run.any_data_record().caption_dim


def describe(discriminator: nn.Module) -> str:
    """Say what is taken for a discriminator's features."""
    return CODE if discriminator.output_type is Reconstruction else FEATURES
