"""The judge that evaluations ask: a caption–picture scorer that saw real centres alone.

It sees through MobileNetV2, which nothing is trained against, and no generator ever met it;
`captionfill-train scorer judge` trains another.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import NamedTuple

from training.common.errors import RunError
from training.data.manifest import file_digest
from training.scorers.train import SCORER_KINDS, Scorer, load_scorer

WEIGHTS = "judge.safetensors"
DIGEST = "09b9e44c4800066e400c5e3f5a0e6901a0d802eea7c2cbf27303239c856e23f3"
CAPTION_DIM = 384  # what the shipped one reads


class Judge(NamedTuple):
    """A judge and what names it in a report."""

    scorer: Scorer
    digest: str


def load_judge(caption_dim: int, path: Path | None = None) -> Judge | None:
    """Read a judge.

    Args:
        caption_dim: length of the caption vectors.
        path: of its weights; the shipped one where None.

    Returns:
        It, or `None` where there is no other and the shipped one reads captions of another length.

    Raises:
        RunError: it is not there, of another kind, or not the one that this version ships.
    """
    if path is not None:
        scorer = load_scorer(SCORER_KINDS["judge"], path, caption_dim)
        return Judge(scorer, f"sha256:{file_digest(path)}")
    if caption_dim != CAPTION_DIM:
        return None
    with resources.as_file(resources.files("training") / "weights" / WEIGHTS) as shipped:
        if not shipped.is_file() or file_digest(shipped) != DIGEST:
            raise RunError(f"training/weights/{WEIGHTS} is not the file of this version")
        return Judge(load_scorer(SCORER_KINDS["judge"], shipped, caption_dim), f"sha256:{DIGEST}")
