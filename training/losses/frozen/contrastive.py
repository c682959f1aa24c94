"""The contrastive loss between images and captions."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

TEMPERATURE = 0.07  # initial temperature of Radford et al. 2021
# Captions with at least this cosine may describe the same image, and are not used as negatives.
SAME_CAPTION = 0.75


def has_caption(caption: Tensor) -> Tensor:
    """Return which of the captions `(N, caption_dim)` are not "no caption" (zeros), bool `(N,)`."""
    return caption.abs().sum(1) > 0


def contrastive_loss(image_codes: Tensor, caption_codes: Tensor, caption: Tensor) -> Tensor:
    """Cross-entropy of each image's own caption among those of the batch (InfoNCE), `(N,)`.

    Oord et al. 2018, "Representation learning with contrastive predictive coding", eq. 4.

    Args:
        image_codes: `(N, code)`, of length 1.
        caption_codes: `(N, code)`, of length 1.
        caption: the caption vectors. Similar ones are not used as negatives; the loss of an image
            without a caption (zeros) is 0.
    """
    logits = image_codes.float() @ caption_codes.float().T / TEMPERATURE
    own = torch.eye(len(logits), dtype=torch.bool, device=logits.device)
    captioned = has_caption(caption)
    usable = (caption @ caption.T < SAME_CAPTION) & captioned
    logits = logits.masked_fill(~(usable | own), -1e4)
    loss = cross_entropy(logits, torch.arange(len(logits), device=logits.device), reduction="none")
    return loss * captioned
