"""Builds a trainer with its callbacks from a run directory."""

import math
from collections.abc import Sequence
from pathlib import Path

import torch

from training.common import distributed
from training.common.console import is_main_process
from training.config.config import Config
from training.data.batches import BatchSource, ImageDataset, load_validation_sets
from training.data.loader import Loader
from training.inference.sample_grid import SampleGridWriter
from training.monitors import MonitorSet
from training.runs.best_checkpoint import BestRecord
from training.runs.checkpoint import newest_step
from training.runs.metric_logger import check_trackers
from training.runs.pretrained import init_weights
from training.runs.run_dir import RunDir
from training.runs.train_state import TrainState, build_train_state, pick_device
from training.trainer.best_checkpoint_callback import BEST_STATE, BestCheckpointCallback
from training.trainer.callbacks import (
    Callback,
    DropoutSchedule,
    MetricLog,
    MovingAverage,
    OnStep,
    PeriodicCheckpoint,
    PlateauSchedule,
    Progress,
    ResidualFade,
    SampleGrids,
    Snapshots,
)
from training.trainer.checkpointer import Checkpointer, Stateful
from training.trainer.monitor_callback import MONITOR_STATE, MonitorCallback, OnFinding
from training.trainer.timer import TIME_STATE, StepTimer
from training.trainer.trainer import Trainer

# Blocks of a streamed set that stay in memory beside those in use.
SPARE_BLOCKS = 4


def build_trainer(
    run: RunDir, sets: Sequence[ImageDataset], on_step: OnStep, on_finding: OnFinding
) -> Trainer:
    """Build a run's networks and load its newest checkpoint; the run directory is not changed.

    Args:
        run: the run directory, written or not.
        sets: the images to train on.
        on_step: takes the number of steps done and the metrics, after every step.
        on_finding: takes what the monitors warn of.

    Raises:
        RunError: the checkpoint is damaged or does not fit the recipe, the bundle to start from is
            gone, the device is not there, or a tracker is not installed.
        PreparedDataError: the held-out data is damaged.
    """
    recipe = run.recipe
    check_trackers(recipe.run.trackers)
    if recipe.engine.threads:
        torch.set_num_threads(recipe.engine.threads)
    # Deterministic kernels cost nothing on a CPU and are what makes a resume exact on a GPU.
    torch.backends.cudnn.deterministic = True
    device = pick_device(recipe.engine)
    state = build_train_state(recipe, sets[0].manifest.caption_dim, device)
    batches = batch_source(recipe, sets)
    validation = held_out(run, sets)
    trainer = wire(run, state, batches, validation, on_step=on_step, on_finding=on_finding)
    # Each network gets images of one shape, so compiled code is specialised to it.
    if recipe.engine.compile:
        state.generator.compile(dynamic=False)
        state.discriminator.compile(dynamic=False)
    if distributed.run_on_rank0(lambda: newest_step(run.checkpoints)):
        trainer.resume()
    elif run.init_checkpoint is not None:
        init_weights(state, run.init_checkpoint)
    return trainer


def batch_source(recipe: Config, sets: Sequence[ImageDataset]) -> BatchSource:
    """Return the batches of a recipe."""
    settings = recipe.run
    return BatchSource(
        sets,
        settings.batch_size,
        settings.balance,
        recipe.augment,
        settings.seed,
        recipe.picture,
        recipe.loading.lanes if recipe.loading.stream else 1,
    )


def held_out(run: RunDir, sets: Sequence[ImageDataset]) -> list[ImageDataset]:
    """Load the images that a run is validated on."""
    places = [Path(place) for place in run.data]
    return load_validation_sets(places, sets, SPARE_BLOCKS if run.recipe.loading.stream else 0)


def wire(
    run: RunDir,
    state: TrainState,
    batches: BatchSource,
    validation: Sequence[ImageDataset],
    *,
    on_step: OnStep,
    on_finding: OnFinding,
) -> Trainer:
    """Build a trainer with all its callbacks, in the order that `Callback` documents."""
    recipe, device = run.recipe, pick_device(run.recipe.engine)
    timer = StepTimer(device, recipe.run.batch_size * recipe.optimizers.critic_steps)
    monitor_set, best = MonitorSet(recipe.guards), BestRecord(recipe.keep.metric)
    parts: dict[str, Stateful] = {MONITOR_STATE: monitor_set, BEST_STATE: best, TIME_STATE: timer}
    checkpointer = Checkpointer(run, state, parts)
    monitors = MonitorCallback(checkpointer, monitor_set, batches, on_finding)
    log = MetricLog(run)
    writer = SampleGridWriter(batches.sets, run.samples, recipe.run.seed, device, recipe.picture)
    schedules: list[Callback] = [
        DropoutSchedule(recipe),
        ResidualFade(recipe.vanishing.steps),
        MovingAverage(),
        PlateauSchedule(),
    ]
    # Rank 0 alone writes.
    written: list[Callback] = (
        [
            SampleGrids(writer, recipe.run.sample_every),
            Snapshots(run),
            BestCheckpointCallback(checkpointer, best, validation, log.write),
        ]
        if is_main_process()
        else []
    )
    callbacks = [
        *schedules,
        Progress(on_step),
        *([log] if is_main_process() else []),
        monitors,
        *written,
        PeriodicCheckpoint(checkpointer, recipe),
    ]
    loader = Loader(batches, recipe.loading.workers)
    return Trainer(checkpointer, loader, timer, monitors, callbacks)


def cached_blocks(recipe: Config) -> int:
    """Return how many blocks of each set a process keeps in memory; 0 has the sets there whole.

    As many as its lanes, and some room for those that go on to their next one.
    """
    loading, processes = recipe.loading, distributed.world_size() * max(recipe.loading.workers, 1)
    return math.ceil(loading.lanes / processes) + SPARE_BLOCKS if loading.stream else 0
