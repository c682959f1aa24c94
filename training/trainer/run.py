"""Starts and resumes runs."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from training.common import distributed
from training.common.console import print_stderr
from training.common.output_files import check_output_folder
from training.config.config import Config
from training.data.batches import ImageDataset, load_sets
from training.optim.precision import pick_precision
from training.runs.checkpoints.checkpoint import newest_step
from training.runs.checkpoints.pretrained import find_init_checkpoint, relocate_init_checkpoint
from training.runs.checkpoints.train_state import pick_device
from training.runs.data_record import DataRecord, read_record
from training.runs.run_dir import RunDir
from training.trainer.build import build_trainer, cached_blocks
from training.trainer.callbacks import OnStep
from training.trainer.monitor_callback import OnFinding


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
        progress: called after every step with the steps done and the metrics.
        on_finding: called for each new finding of a monitor; by default prints it to stderr.
        init_from: a bundle to take the generator's weights from.

    Raises:
        PreparedDataError: the data do not fit.
        RunError: the folder holds a run already, the bundle is none or another generator's, or a
            monitor stopped it.
        NonFiniteError: a loss term stopped being finite.
    """
    distributed.init_process_group(recipe.engine.device, recipe.run.batch_size)

    def check_place() -> None:
        RunDir.check_free(folder)
        check_output_folder(folder)

    distributed.run_on_rank0(check_place)
    recipe = resolve_precision(recipe)
    sets = load_train_sets(recipe, data)
    init_checkpoint = None
    if init_from is not None:
        encoder = sets[0].manifest.encoder_fingerprint
        init_checkpoint = find_init_checkpoint(init_from, recipe, encoder)
    prepared = tuple(DataRecord.of(one.manifest) for one in sets)
    digests = {str(place.resolve()): one.digest for place, one in zip(data, prepared, strict=True)}
    run = RunDir(folder, recipe, digests, init_checkpoint=init_checkpoint, prepared=prepared)
    trainer = build_trainer(run, sets, progress, on_finding)
    with ExitStack() as stack:

        def make() -> None:
            RunDir.create(folder, recipe, digests, init_checkpoint, prepared)
            stack.enter_context(run.locked())

        distributed.run_on_rank0(make)
        trainer.train()
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
    """Continue a run from its newest checkpoint, or from its start without one.

    Everything is checked, the networks are built and the checkpoint is loaded into them before
    the run directory is changed: what does not fit leaves it as it was.

    Args:
        folder: of the run.
        overrides: `key=value` changes to its recipe (`run.steps=…` to go on for longer); they
            are written into the run directory.
        progress: as for `start`.
        on_finding: as for `start`.
        data: where its prepared data is now, if it has moved; written into the run directory.
        init_from: where the bundle that it begins with is now, if it has moved; written likewise.

    Raises:
        RunError: no run there, or it cannot be written, its checkpoint is damaged or does not
            fit the changes, or a monitor stopped it.
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
            moved = relocate_init_checkpoint(changed.init_checkpoint, init_from)
            changed = replace(changed, init_checkpoint=moved)
        if overrides:
            changed = changed.with_overrides(step, overrides)
            changed = replace(changed, recipe=resolve_precision(changed.recipe))
        for place, digest in changed.data.items():
            read_record(place, digest)  # it is still there and the same
        sets = load_train_sets(changed.recipe, [Path(place) for place in changed.data])
        changed = replace(changed, prepared=tuple(DataRecord.of(one.manifest) for one in sets))
        trainer = build_trainer(changed, sets, progress, on_finding)
        if changed != run:
            distributed.run_on_rank0(changed.write)
        trainer.train()
    return changed


def load_train_sets(recipe: Config, data: Sequence[Path]) -> list[ImageDataset]:
    """Load the `train` splits, into memory or with a cache of blocks."""
    return load_sets(data, "train", recipe.picture.window, cached_blocks(recipe))


def resolve_precision(recipe: Config) -> Config:
    """Return the recipe with the precision that `auto` is here, for a run to keep to."""
    engine = recipe.engine
    precision = pick_precision(engine.precision, pick_device(engine).type)
    if precision == engine.precision:
        return recipe
    return replace(recipe, engine=replace(engine, precision=precision))
