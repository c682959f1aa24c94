"""Captions of fills, and how well fills match them by a frozen scorer."""

import torch
from torch import Tensor
from torch.nn.functional import relu

from models.frozen.scorers import Scorer
from training.common import distributed
from training.losses.frozen.contrastive import SAME_CAPTION, contrastive_loss, has_caption


def mismatched_captions(caption: Tensor) -> tuple[Tensor, Tensor]:
    """Choose another image's caption for each image: by a coin, the most similar or a random one.

    Captions that may describe the same image (`SAME_CAPTION`) are not chosen.

    Args:
        caption: `(N, caption_dim)`, of length 1 or 0; captions of other ranks may be chosen.

    Returns:
        Captions `(N, caption_dim)`, and whether an image has one, bool `(N,)`.
    """
    candidates = distributed.all_rows(caption)
    similarity = caption @ candidates.T
    usable = (similarity < SAME_CAPTION) & has_caption(candidates)
    hardest = similarity.masked_fill(~usable, -2.0).argmax(1)
    chance = distributed.shard_rows(lambda rows: torch.rand(rows, len(candidates)), len(caption))
    random = chance.to(similarity.device).masked_fill(~usable, -1.0).argmax(1)
    coin = distributed.shard_rows(torch.rand, len(caption)).to(similarity.device) < 0.5
    return candidates[torch.where(coin, hardest, random)], usable.any(1)


def random_rows(probability: float, rows: Tensor) -> Tensor:
    """Choose each row of `(N, …)` with a probability, bool `(N,)`."""
    return distributed.shard_rows(torch.rand, len(rows)).to(rows.device) < probability


def own_caption(image_caption: Tensor, fill_caption: Tensor) -> Tensor:
    """Return 1 for each fill with its own image's caption, 0 for another image's, `(N,)`."""
    return (image_caption == fill_caption).all(1).float()


def caption_loss(
    scorer: Scorer, real: Tensor, fake: Tensor, image_caption: Tensor, fill_caption: Tensor
) -> Tensor:
    """Contrastive loss of fills above that of the real images, never below 0, `(N,)`.

    A frozen scorer that rates a fill better than the real image is being fooled, so no more is
    asked for. The target of a fill with another image's caption is the mean over real images.

    Args:
        scorer: encodes the captions.
        real: its codes of the real images, `(N, code)`.
        fake: its codes of the fills.
        image_caption: the images' captions, `(N, caption_dim)`.
        fill_caption: the fills' captions.
    """
    captioned = has_caption(image_caption).float()
    with torch.no_grad():
        reached = contrastive_loss(real, scorer.encode_captions(image_caption), image_caption)
        mean = reached.sum() / captioned.sum().clamp_min(1)
    own = (image_caption == fill_caption).all(1)
    target = torch.where(own, reached, mean)
    loss = contrastive_loss(fake, scorer.encode_captions(fill_caption), fill_caption)
    return relu(loss - target) * captioned
