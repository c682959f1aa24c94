"""Scorer weights as safetensors files."""

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from models.frozen.scorers import Scorer
from models.runtime.bundle import halve
from training.common.errors import RunError
from training.common.output_files import write_atomically, write_error
from training.scorers.kinds import ScorerKind


def save_scorer(scorer: nn.Module, path: Path) -> None:
    """Write the weights as float16.

    Raises:
        OutputError: the file cannot be written.
    """
    try:
        halved = {name: halve(value) for name, value in scorer.state_dict().items()}
        write_atomically(path, save(halved))
    except OSError as error:
        raise write_error(path, error) from error


def load_scorer(kind: ScorerKind, path: Path, caption_dim: int) -> Scorer:
    """Read a scorer's weights as float32, ready for inference.

    Args:
        kind: of the scorer.
        path: of the file.
        caption_dim: length of the caption vectors.

    Raises:
        RunError: there is no such file, or it is of another kind.
    """
    scorer = kind.build(caption_dim)
    try:
        scorer.load_state_dict({k: v.float() for k, v in load_file(path).items()})
    except (OSError, RuntimeError, SafetensorError) as error:
        raise RunError(f"no such scorer at {path}: {str(error).splitlines()[0]}") from error
    return scorer.eval().requires_grad_(False)
