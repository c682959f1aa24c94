"""The judge, which is the caption scorer of evaluations, and R-precision, its measure.

It uses MobileNetV2 features, which nothing is trained against, and was trained on real images
alone. `captionfill-train scorer judge` trains another.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from models.frozen.scorers import Scorer
from training.common.errors import RunError
from training.data.manifest import file_digest
from training.evaluation.scorers.kinds import SCORER_KINDS, load_scorer

WEIGHTS = "judge.safetensors"
DIGEST = "09b9e44c4800066e400c5e3f5a0e6901a0d802eea7c2cbf27303239c856e23f3"
CAPTION_DIM = 384  # length of the shipped judge's caption vectors
RANKING_SIZE = 100  # images whose captions are ranked
PARTITIONS = 20  # how often a set is split into hundreds


class Judge(NamedTuple):
    """A judge, and the digest that reports name."""

    scorer: Scorer
    digest: str


def load_judge(caption_dim: int, path: Path | None = None) -> Judge | None:
    """Load a judge, by default the shipped one; None if that reads no captions of this length.

    Raises:
        RunError: there is no such file, it is of another kind, or not this version's.
    """
    kind = SCORER_KINDS["judge"]
    if path is not None:
        return Judge(load_scorer(kind, path, caption_dim), f"sha256:{file_digest(path)}")
    if caption_dim != CAPTION_DIM:
        return None
    with resources.as_file(resources.files("training.evaluation.scorers") / WEIGHTS) as shipped:
        if not shipped.is_file() or file_digest(shipped) != DIGEST:
            raise RunError(f"training/evaluation/scorers/{WEIGHTS} is not the file of this version")
        return Judge(load_scorer(kind, shipped, caption_dim), f"sha256:{DIGEST}")


@torch.inference_mode()
def r_precision(scorer: Scorer, features: Tensor, vectors: Tensor, seed: int = 0) -> Tensor:
    """Return each image's R-precision@1 of 100, over random partitions of the set into hundreds.

    It is the share of an image's hundreds in which its own caption came first, float64 `(N,)`.
    `features` are of centres, `(N, D)`, N at least 100; `vectors` are of their captions.
    """
    images, captions = scorer.encode_images(features), scorer.encode_captions(vectors)
    count, rng = len(features), torch.Generator().manual_seed(seed)
    hits, trials = (torch.zeros(count, dtype=torch.float64) for _ in range(2))
    for _ in range(PARTITIONS):
        order = torch.randperm(count, generator=rng)
        for rows in torch.split(order[: count // RANKING_SIZE * RANKING_SIZE], RANKING_SIZE):
            hits[rows] += ranks_own_first(images[rows], captions[rows], vectors[rows]).double()
            trials[rows] += 1
    return hits / trials.clamp_min(1)


def ranks_own_first(image_codes: Tensor, caption_codes: Tensor, caption: Tensor) -> Tensor:
    """Return for each image whether its own caption has the highest score, bool `(N,)`.

    Codes are `(N, code)`; captions with equal vectors, `(N, D)`, count as the own caption.
    """
    best = (image_codes @ caption_codes.T).argmax(1)
    return (caption * caption[best]).sum(1) > 0.999
