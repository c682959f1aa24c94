"""Initial weights of a run from a bundle and the training state beside it."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from models.runtime.bundle import Bundle, load_bundle
from models.runtime.bundle_files import BundleError
from training.common.errors import RunError
from training.config.config import Config
from training.runs.checkpoints.train_state import TrainState
from training.runs.checkpoints.training_state import find_training_state

# Settings that change no weight (`models.generators.unet.UnetSettings`): a run may have others.
INFERENCE_OVERRIDES = frozenset({"guidance", "membrane", "temperature", "upsample"})


@dataclass(frozen=True)
class InitCheckpoint:
    """The bundle that a run was initialised from.

    Attributes:
        place: its folder.
        digest: its digest, ONNX files aside; another one in that place is refused.
        training: the bundle's record of its training.
        state: digest of the training state beside it, which the run continues from; None where
            there is none or it is of another discriminator or objective.
    """

    place: str
    digest: str
    training: dict[str, Any]
    state: str | None = None

    def provenance(self) -> dict[str, Any]:
        """Return the record for a bundle's config: digest and earlier training, without paths."""
        keys = ("steps", "pictures_seen", "changes", "begun_with")
        earlier = {key: self.training[key] for key in keys if key in self.training}
        return {"digest": self.digest} | earlier


def find_init_checkpoint(folder: Path, recipe: Config, encoder_fingerprint: str) -> InitCheckpoint:
    """Check a bundle to initialise a run from.

    Raises:
        RunError: no sound bundle there, or another generator than the recipe's, or another encoder
            than the one that the run's data were prepared with, or a damaged training state.
    """
    bundle = read_bundle(folder)
    config, free = bundle.config, {*INFERENCE_OVERRIDES, "caption_dim"}
    ours, theirs = (
        {key: value for key, value in settings.items() if key not in free}
        for settings in (recipe.generator.settings, config.settings)
    )
    if (recipe.generator.kind, ours) != (config.generator, theirs):
        raise RunError(
            f"{folder} has generator {config.generator!r} with {theirs}; recipe {recipe.name} has "
            f"{recipe.generator.kind!r} with {ours}"
        )
    if config.encoder_fingerprint != encoder_fingerprint:
        raise RunError(f"{folder} reads captions by another encoder than the data's")
    saved = find_training_state(folder, bundle.weights_digest)
    state = saved.digest if saved and saved.fits(recipe) else None
    return InitCheckpoint(str(folder.resolve()), bundle.weights_digest, config.training, state)


def relocate_init_checkpoint(
    init_checkpoint: InitCheckpoint | None, folder: Path
) -> InitCheckpoint:
    """Return a run's init_checkpoint with the place where its bundle is now.

    Raises:
        RunError: the run began with no bundle, or another one is there.
    """
    if init_checkpoint is None:
        raise RunError("the run did not begin with a bundle: leave --from away")
    if read_bundle(folder).weights_digest != init_checkpoint.digest:
        raise RunError(
            f"{folder} is not the bundle that this run began with ({init_checkpoint.digest})"
        )
    return replace(init_checkpoint, place=str(folder.resolve()))


def init_weights(state: TrainState, init_checkpoint: InitCheckpoint) -> None:
    """Load a bundle's weights into the generator and its average.

    With a training state, the average alone is the bundle's: generator, discriminator and the
    objective's progress are the state's.

    Raises:
        RunError: the bundle or its training state is no longer there, or is another one.
    """
    try:
        bundle = read_bundle(Path(init_checkpoint.place))
    except RunError as error:
        raise RunError(f"{error}; if the bundle has moved, say where with --from") from error
    if bundle.weights_digest != init_checkpoint.digest:
        raise RunError(
            f"{init_checkpoint.place} is not the bundle that this run began with; --from takes "
            f"the one with digest {init_checkpoint.digest[:19]}…"
        )
    weights = bundle.generator.state_dict()
    state.generator.load_state_dict(weights)
    if state.average is not None:
        state.average.module.load_state_dict(weights)
    if init_checkpoint.state is not None:
        saved = find_training_state(Path(init_checkpoint.place), bundle.weights_digest)
        if saved is None or saved.digest != init_checkpoint.state:
            raise RunError(
                f"{init_checkpoint.place} has not the training state of this run's start"
            )
        saved.load_into(state)


def read_bundle(folder: Path) -> Bundle:
    """Load a bundle; raise `RunError` if there is no sound one."""
    try:
        return load_bundle(folder)
    except BundleError as error:
        raise RunError(str(error)) from error
