"""Generates 8-bit images for a batch."""

import torch
from torch import Tensor, nn

from models.geometry import hide, paste, to_uint8
from training.data.batches import Batch
from training.runs.checkpoints.train_state import evaluating

CHUNK = 32  # images per forward pass


@torch.inference_mode()
def generate(
    generator: nn.Module,
    batch: Batch,
    noise: Tensor,
    layout: torch.memory_format = torch.contiguous_format,
) -> Tensor:
    """Fill the holes of a batch; where everything is hidden, generate whole images.

    Args:
        generator: keeps its mode.
        batch: N images with their holes and captions.
        noise: `(N, noise_dim)`, standard normal.
        layout: memory format of the images.

    Returns:
        uint8 `(N, 3, S, S)` on the CPU, composites where there is a context.
    """
    device = next(generator.parameters()).device
    made = []
    with evaluating(generator):
        for rows in torch.split(torch.arange(len(noise)), CHUNK):
            images, mask, caption = Batch(*(field[rows] for field in batch)).to(device, layout)
            context = hide(images, mask)
            fill = generator(context, mask, caption, noise[rows].to(device))
            made.append(to_uint8(paste(context, mask, fill.float())).cpu())
    return torch.cat(made)
