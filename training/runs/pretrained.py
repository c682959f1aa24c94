"""Where a run's generator begins that does not begin at random: at the weights of a bundle."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from models.runtime.bundle import BundleConfig, BundleError, load_bundle
from training.common.errors import RunError
from training.config.config import Config
from training.runs.train_state import TrainState

# Settings that change no weight (`models.generators.unet.UnetSettings`): a run may have others.
AT_WILL = frozenset({"guidance", "membrane", "temperature", "upsample"})


@dataclass(frozen=True)
class InitCheckpoint:
    """The bundle a run began with.

    Attributes:
        place: its folder.
        digest: its digest; another one in that place is refused.
        training: what it says of its own training.
    """

    place: str
    digest: str
    training: dict[str, Any]

    def told(self) -> dict[str, Any]:
        """Return what a bundle made of the run is to say of it: no path of this machine."""
        earlier = {
            key: self.training[key]
            for key in ("steps", "pictures_seen", "changes", "begun_with")
            if key in self.training
        }
        return {"digest": self.digest, **earlier}


def find_init_checkpoint(folder: Path, recipe: Config, encoder_fingerprint: str) -> InitCheckpoint:
    """Look at a bundle that a run is to begin with.

    Args:
        folder: of the bundle.
        recipe: of the run.
        encoder_fingerprint: of the sentence encoder that the run's data were prepared with.

    Raises:
        RunError: no sound bundle there, or another generator or encoder than the run's.
    """
    config, digest, _ = read(folder)
    ours, theirs = (
        {key: value for key, value in settings.items() if key not in {*AT_WILL, "caption_dim"}}
        for settings in (recipe.generator.settings, config.settings)
    )
    if (recipe.generator.kind, ours) != (config.generator, theirs):
        raise RunError(
            f"{folder} has generator {config.generator!r} with {theirs}; recipe {recipe.name} has "
            f"{recipe.generator.kind!r} with {ours}"
        )
    if config.encoder_fingerprint != encoder_fingerprint:
        raise RunError(f"{folder} reads captions by another encoder than the data's")
    return InitCheckpoint(str(folder.resolve()), digest, config.training)


def moved(origin: InitCheckpoint | None, folder: Path) -> InitCheckpoint:
    """Return a run's origin with the place where its bundle is now.

    Raises:
        RunError: the run began with no bundle, or another one is there.
    """
    if origin is None:
        raise RunError("the run did not begin with a bundle: leave --from away")
    _, digest, _ = read(folder)
    if digest != origin.digest:
        raise RunError(f"{folder} is not the bundle that this run begins with ({origin.digest})")
    return replace(origin, place=str(folder.resolve()))


def init_weights(players: TrainState, origin: InitCheckpoint) -> None:
    """Give the generator, and its average, a bundle's weights.

    Raises:
        RunError: the bundle is no longer there, or is another one.
    """
    try:
        _, digest, weights = read(Path(origin.place))
    except RunError as error:
        raise RunError(f"{error}; if the bundle has moved, say where with --from") from error
    if digest != origin.digest:
        raise RunError(
            f"{origin.place} is not the bundle that this run begins with; --from takes the one "
            f"with digest {origin.digest[:19]}…"
        )
    players.generator.load_state_dict(weights)
    if players.average is not None:
        players.average.module.load_state_dict(weights)


def read(folder: Path) -> tuple[BundleConfig, str, dict[str, torch.Tensor]]:
    """Return a bundle's config, digest and the generator's weights."""
    try:
        bundle = load_bundle(folder)
    except BundleError as error:
        raise RunError(str(error)) from error
    return bundle.config, bundle.digest, bundle.generator.state_dict()
