"""The judge: the caption scorer of evaluations.

It uses MobileNetV2 features, which nothing is trained against, and was trained on real images
alone. `captionfill-train scorer judge` trains another.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import NamedTuple

from models.frozen.scorers import Scorer
from training.common.errors import RunError
from training.data.manifest import file_digest
from training.scorers.files import load_scorer
from training.scorers.kinds import SCORER_KINDS

WEIGHTS = "judge.safetensors"
DIGEST = "09b9e44c4800066e400c5e3f5a0e6901a0d802eea7c2cbf27303239c856e23f3"
CAPTION_DIM = 384  # length of the shipped judge's caption vectors


class Judge(NamedTuple):
    """A judge, and the digest that reports name."""

    scorer: Scorer
    digest: str


def load_judge(caption_dim: int, path: Path | None = None) -> Judge | None:
    """Load a judge.

    Args:
        caption_dim: length of the caption vectors.
        path: of its weights; the shipped judge by default.

    Returns:
        The judge, or None for the shipped one with captions of another length.

    Raises:
        RunError: there is no such file, it is of another kind, or not this version's.
    """
    kind = SCORER_KINDS["judge"]
    if path is not None:
        return Judge(load_scorer(kind, path, caption_dim), f"sha256:{file_digest(path)}")
    if caption_dim != CAPTION_DIM:
        return None
    with resources.as_file(resources.files("training.scorers") / WEIGHTS) as shipped:
        if not shipped.is_file() or file_digest(shipped) != DIGEST:
            raise RunError(f"training/scorers/{WEIGHTS} is not the file of this version")
        return Judge(load_scorer(kind, shipped, caption_dim), f"sha256:{DIGEST}")
