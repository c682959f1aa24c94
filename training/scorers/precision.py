"""R-precision of a scorer on held-out images."""

import torch
from torch import Tensor

from models.frozen.scorers import Scorer
from training.data.batches import ImageDataset, plain_batch
from training.scorers.kinds import ScorerKind

HELD_OUT_ROWS = 1000
RANKING_SIZE = 100


@torch.inference_mode()
def precision_at_1(scorer: Scorer, kind: ScorerKind, pictures: ImageDataset) -> float:
    """R-precision@1 of 100: how often an image's own caption has the highest score.

    Xu et al. 2018, "AttnGAN", §4.1, with the first caption of each image, in order. Where several
    images have the same caption, any of them counts.
    """
    hits = []
    all_rows = torch.arange(min(len(pictures), HELD_OUT_ROWS))
    for rows in torch.split(all_rows, RANKING_SIZE):
        batch = plain_batch(pictures, rows)
        codes = scorer.encode_images(kind.extract(batch.images))
        hits.append(ranks_own_first(codes, scorer.encode_captions(batch.caption), batch.caption))
    return float(torch.cat(hits).float().mean())


def ranks_own_first(image_codes: Tensor, caption_codes: Tensor, caption: Tensor) -> Tensor:
    """Return for each image whether its own caption has the highest score, bool `(N,)`.

    Args:
        image_codes: `(N, code)`.
        caption_codes: `(N, code)`.
        caption: the caption vectors, `(N, D)`; equal ones count as the own caption.
    """
    best = (image_codes @ caption_codes.T).argmax(1)
    return (caption * caption[best]).sum(1) > 0.999
