"""The reconstruction losses of a BEGAN's autoencoder, which its objective balances."""

import torch
from torch import Tensor

from models.geometry import to_float
from training.common.errors import RunError
from training.data.batches import Batch
from training.inference.generate import CHUNK
from training.losses.objectives.base import DiscriminatorInput
from training.losses.objectives.began import Began
from training.runs.load_run import LoadedRun
from training.runs.train_state import memory_format


def began_objective(loaded: LoadedRun) -> Began:
    """Return a run's objective.

    Raises:
        RunError: it is not BEGAN's.
    """
    objective = loaded.state.objective
    if not isinstance(objective, Began):
        kind = loaded.recipe.objective.kind
        raise RunError(f"{loaded.name} is no BEGAN: it was trained with the objective {kind!r}")
    return objective


@torch.inference_mode()
def reconstruction_losses(loaded: LoadedRun, batch: Batch, pictures: Tensor) -> Tensor:
    """Return `L(v) = |v - D(v)|^η` of each picture (Berthelot et al. 2017, §3.1), float64 `(N,)`.

    The discriminator is in evaluation mode, so that a picture's loss does not depend on the batch.

    Args:
        loaded: a BEGAN run.
        batch: whose holes and captions the pictures have.
        pictures: uint8 `(N, 3, S, S)`: the batch's own, or those generated for it.

    Raises:
        RunError: the run is no BEGAN.
    """
    objective, layout = began_objective(loaded), memory_format(loaded.recipe.engine)
    device = next(loaded.discriminator.parameters()).device
    found = []
    for rows in torch.split(torch.arange(len(pictures)), CHUNK):
        part = Batch(to_float(pictures[rows]), batch.mask[rows], batch.caption[rows])
        scene = DiscriminatorInput(*part.to(device, layout))
        found.append(objective.loss(loaded.discriminator, scene).double().cpu())
    return torch.cat(found)
