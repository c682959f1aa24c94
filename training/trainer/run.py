"""Start and resume runs: data, state, trainer and sampler put together."""

import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from training.common import distributed
from training.common.console import is_main_process, print_stderr
from training.common.output_files import check_output_folder
from training.config.config import Config
from training.data.batches import BatchSource, load_held_out, load_sets
from training.data.memory_dataset import PictureSet
from training.inference.sample_grid import SampleGridWriter
from training.optim.precision import pick_precision
from training.runs.checkpoint import newest_step
from training.runs.data_location import check_data
from training.runs.data_record import DataRecord
from training.runs.pretrained import find_init_checkpoint, init_weights, relocate_init_checkpoint
from training.runs.run_dir import RunDir
from training.runs.train_state import build_train_state, pick_device
from training.trainer.trainer import OnFinding, OnStep, Trainer

# Blocks of a streamed set that stay in memory beside those in use.
SPARE_BLOCKS = 4


def start(
    recipe: Config,
    data: Sequence[Path],
    folder: Path,
    progress: OnStep,
    on_finding: OnFinding = print_stderr,
    *,
    init_from: Path | None = None,
) -> RunDir:
    """Train a recipe in a new run directory.

    Args:
        recipe: what to train.
        data: prepared folders; their `train` splits are used.
        folder: of the run; must not hold one.
        progress: told the step and its figures.
        on_finding: told what a guard warns of; by default a line on stderr.
        init_from: a bundle whose weights the generator begins with, instead of at random.

    Raises:
        PreparedDataError: the data do not fit.
        RunError: the folder holds a run already, the bundle is none or another generator's, or a
            guard stopped it.
        NonFiniteError: a loss term stopped being finite.
    """
    distributed.init_process_group(recipe.engine.device, recipe.run.batch_size)

    def check_place() -> None:
        RunDir.check_free(folder)
        check_output_folder(folder)

    distributed.run_on_rank0(check_place)
    recipe = resolve_precision(recipe)
    sets = load_sets(data, "train", recipe.picture.window, cached_blocks(recipe))
    init_checkpoint = None
    if init_from is not None:
        encoder = sets[0].manifest.encoder_fingerprint
        init_checkpoint = find_init_checkpoint(init_from, recipe, encoder)
    digests = {str(place.resolve()): s.manifest.digest for place, s in zip(data, sets, strict=True)}
    prepared = tuple(DataRecord.of(one.manifest) for one in sets)
    run = RunDir(folder, recipe, digests, init_checkpoint=init_checkpoint, prepared=prepared)
    training = build_training(run, sets)
    with ExitStack() as stack:

        def make() -> None:
            RunDir.create(folder, recipe, digests, init_checkpoint, prepared)
            stack.enter_context(run.locked())

        distributed.run_on_rank0(make)
        training.go(progress, on_finding)
    return run


def resume(
    folder: Path,
    overrides: list[str],
    progress: OnStep,
    on_finding: OnFinding = print_stderr,
    *,
    data: Sequence[Path] = (),
    init_from: Path | None = None,
) -> RunDir:
    """Go on with a run from its newest checkpoint, or from its start if it left none.

    Everything is checked, the networks are built and the checkpoint is loaded into them before
    the run directory is changed: what does not fit leaves it as it was.

    Args:
        folder: of the run.
        overrides: `key=value` changes to its recipe (`run.steps=…` to go on for longer); they
            are written into the run directory.
        progress: told the step and its figures.
        on_finding: told what a guard warns of; by default a line on stderr.
        data: where its prepared data is now, if it has moved; written into the run directory.
        init_from: where the bundle that it begins with is now, if it has moved; written likewise.

    Raises:
        RunError: no run there, or it cannot be written, its checkpoint is damaged or does not
            fit the changes, or a guard stopped it.
        PreparedDataError: its data is gone or changed, or does not fit the changes.
        RecipeError: a change is no value of a recipe.
        NonFiniteError: a loss term or a weight stopped being finite.
    """
    run = RunDir.open(folder)
    recipe = run.with_overrides(0, overrides).recipe
    distributed.init_process_group(recipe.engine.device, recipe.run.batch_size)
    with ExitStack() as stack:

        def open_locked() -> int:
            check_output_folder(folder)
            stack.enter_context(run.locked())
            return newest_step(run.checkpoints)

        step = distributed.run_on_rank0(open_locked)
        pick_device(recipe.engine)
        changed = run.with_data_at(data) if data else run
        if init_from is not None:
            changed = replace(
                changed,
                init_checkpoint=relocate_init_checkpoint(changed.init_checkpoint, init_from),
            )
        if overrides:
            changed = changed.with_overrides(step, overrides)
            changed = replace(changed, recipe=resolve_precision(changed.recipe))
        sets = load_resumed(changed)
        changed = replace(changed, prepared=tuple(DataRecord.of(one.manifest) for one in sets))
        training = build_training(changed, sets)
        if changed != run:
            distributed.run_on_rank0(changed.write)
        training.go(progress, on_finding)
    return changed


def load_resumed(run: RunDir) -> list[PictureSet]:
    """Load the data that a run was started on.

    Raises:
        PreparedDataError: it is gone or changed, or does not fit the recipe.
    """
    check_data(run.data)
    places = [Path(place) for place in run.data]
    return load_sets(places, "train", run.recipe.picture.window, cached_blocks(run.recipe))


def resolve_precision(recipe: Config) -> Config:
    """Return the recipe with the precision that `auto` is here, for a run to keep to."""
    engine = recipe.engine
    precision = pick_precision(engine.precision, pick_device(engine).type)
    if precision == engine.precision:
        return recipe
    return replace(recipe, engine=replace(engine, precision=precision))


def cached_blocks(recipe: Config) -> int:
    """Return how many blocks of each set a process keeps in memory; 0 has the sets there whole.

    As many as its lanes, and some room for those that go on to their next one.
    """
    loading, processes = recipe.loading, distributed.world_size() * max(recipe.loading.workers, 1)
    return math.ceil(loading.lanes / processes) + SPARE_BLOCKS if loading.stream else 0


@dataclass(frozen=True)
class Training:
    """A run that is ready to go on: networks built, the newest checkpoint loaded."""

    trainer: Trainer
    sampler: SampleGridWriter

    def go(self, progress: OnStep, on_finding: OnFinding) -> None:
        """Train from wherever the run stands to its end."""

        def samples(step: int) -> None:
            if is_main_process():
                self.sampler.leave(step, self.trainer.state.inference_generator)

        self.trainer.train(progress, samples, on_finding)


def build_training(run: RunDir, sets: Sequence[PictureSet]) -> Training:
    """Build a run's networks and load where it stands into them; the run directory is not changed.

    Raises:
        RunError: the checkpoint is damaged or does not fit the recipe, the bundle that the run
            begins with is gone, or its device is not there.
        PreparedDataError: the held-out data is damaged.
    """
    recipe = run.recipe
    if recipe.engine.threads:
        torch.set_num_threads(recipe.engine.threads)
    # Deterministic kernels cost nothing on a CPU and are what makes a resume exact on a GPU.
    torch.backends.cudnn.deterministic = True
    device = pick_device(recipe.engine)
    state = build_train_state(recipe, sets[0].manifest.caption_dim, device)
    settings = recipe.run
    batches = BatchSource(
        sets,
        settings.batch_size,
        settings.balance,
        recipe.augment,
        settings.seed,
        recipe.picture,
        recipe.loading.lanes if recipe.loading.stream else 1,
    )
    places = [Path(place) for place in run.data]
    held_out = load_held_out(places, sets, SPARE_BLOCKS if recipe.loading.stream else 0)
    trainer = Trainer(run, state, batches, held_out)
    if distributed.run_on_rank0(lambda: newest_step(run.checkpoints)):
        trainer.resume()
    elif run.init_checkpoint is not None:
        init_weights(state, run.init_checkpoint)
    return Training(
        trainer, SampleGridWriter(sets, run.samples, settings.seed, device, recipe.picture)
    )
