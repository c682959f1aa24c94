"""What a later run continues from: networks in half precision, in a file beside a bundle's weights.

A run directory with its optimizers is several times as large and does not leave its machine. Adam's
moments are rebuilt within some hundred steps; a discriminator that has to learn anew costs more.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from models.runtime.bundle import halve
from models.runtime.bundle_files import file_digest
from training.common.errors import RunError
from training.config.config import ComponentConfig, Config
from training.runs.checkpoints.train_state import TrainState

TRAINING_STATE = "training-state.safetensors"
NETWORKS = ("generator", "discriminator")


@dataclass(frozen=True)
class TrainingState:
    """A file of networks, and which bundle and discriminator it belongs to.

    Attributes:
        place: the file.
        digest: `sha256:…` of the file.
        bundle: digest of the bundle, which holds the generator's average.
        discriminator: its kind and settings.
        objective: the kind of the objective that judged it.
        progress: the objective's own state, such as how many steps it has taken.
    """

    place: Path
    digest: str
    bundle: str
    discriminator: ComponentConfig
    objective: str
    progress: dict[str, Any]

    def fits(self, recipe: Config) -> bool:
        """Whether a recipe has the discriminator and the kind of objective that were saved."""
        return (self.discriminator, self.objective) == (recipe.discriminator, recipe.objective.kind)

    def load_into(self, state: TrainState) -> None:
        """Load both networks (not the average) and the objective's state.

        Raises:
            RunError: the networks are of other shapes.
        """
        with safe_open(self.place, "pt") as file:
            for name in NETWORKS:
                weights = {
                    key.removeprefix(f"{name}."): file.get_tensor(key)
                    for key in file.keys()  # noqa: SIM118 - a method of safetensors, not a dict
                    if key.startswith(f"{name}.")
                }
                try:
                    getattr(state, name).load_state_dict(weights)
                except RuntimeError as error:
                    raise RunError(f"{self.place}: its {name} does not fit: {error}") from error
        state.objective.load_state_dict(self.progress)


def save_training_state(folder: Path, bundle: str, recipe: Config, state: TrainState) -> str:
    """Write generator, discriminator and the objective's state beside a bundle.

    Args:
        folder: the bundle's, or its draft.
        bundle: the bundle's digest.
        recipe: its discriminator and objective are recorded, to compare with a later run's.
        state: of the checkpoint that was exported.

    Returns:
        The file's digest.

    Raises:
        OSError: the folder cannot be written.
    """
    tensors: dict[str, Tensor] = {}
    for name in NETWORKS:
        network: nn.Module = getattr(state, name)
        tensors |= {f"{name}.{key}": halve(value) for key, value in network.state_dict().items()}
    record = {
        "bundle": bundle,
        "discriminator": asdict(recipe.discriminator),
        "objective": recipe.objective.kind,
        "progress": state.objective.state_dict(),
    }
    path = folder / TRAINING_STATE
    try:
        save_file(tensors, path, {"captionfill": json.dumps(record)})
    except SafetensorError as error:
        raise OSError(f"{path.name}: {error}") from error
    path.chmod(0o644)
    return file_digest(path)


def find_training_state(folder: Path, bundle: str) -> TrainingState | None:
    """Read the description of the state beside a bundle; None where there is no such file.

    Raises:
        RunError: the file is damaged, or belongs to another bundle than the one beside it.
    """
    place = folder / TRAINING_STATE
    if not place.is_file():
        return None
    try:
        with safe_open(place, "pt") as file:
            record = json.loads(file.metadata()["captionfill"])
        found = TrainingState(
            place,
            file_digest(place),
            str(record["bundle"]),
            ComponentConfig(**record["discriminator"]),
            str(record["objective"]),
            dict(record["progress"]),
        )
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise RunError(f"{place} cannot be read: {error}") from error
    if found.bundle != bundle:
        raise RunError(f"{place} belongs to another bundle ({found.bundle[:19]}…)")
    return found
