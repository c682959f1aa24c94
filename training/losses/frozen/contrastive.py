"""The contrastive loss between pictures and captions."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

TEMPERATURE = 0.07  # Radford et al. 2021 begin with it
# Captions at least this near (cosine) may mean the same picture: they are no negatives.
SAME_CAPTION = 0.75


def has_caption(caption: Tensor) -> Tensor:
    """Return which of the captions `(N, caption_dim)` say anything, bool `(N,)`."""
    return caption.abs().sum(1) > 0


def contrastive_loss(seen: Tensor, read: Tensor, caption: Tensor) -> Tensor:
    """Cross-entropy of finding each picture's own caption in the batch (InfoNCE), `(N,)`.

    Oord et al. 2018, "Representation learning with contrastive predictive coding", eq. 4.

    Args:
        seen: codes of the pictures, `(N, code)`, of length 1.
        read: codes of their captions.
        caption: the caption vectors; near ones are no negatives, and a picture without a caption
            (zeros) costs nothing.
    """
    logits = seen.float() @ read.float().T / TEMPERATURE
    own = torch.eye(len(logits), dtype=torch.bool, device=logits.device)
    speaks = has_caption(caption)
    usable = (caption @ caption.T < SAME_CAPTION) & speaks
    logits = logits.masked_fill(~(usable | own), -1e4)
    loss = cross_entropy(logits, torch.arange(len(logits), device=logits.device), reduction="none")
    return loss * speaks
