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
from training.monitors.monitor_set import MonitorSet
from training.runs.checkpoints.best_checkpoint import BestRecord
from training.runs.checkpoints.checkpoint import newest_step
from training.runs.checkpoints.pretrained import init_weights
from training.runs.checkpoints.train_state import TrainState, build_train_state, pick_device
from training.runs.metric_logger import check_trackers
from training.runs.run_dir import RunDir
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
from training.trainer.checkpointer import Checkpointer
from training.trainer.monitor_callback import MONITOR_STATE, MonitorCallback, OnFinding
from training.trainer.trainer import TIME_STATE, StepTimer, Trainer

# Blocks of a streamed set that stay in memory beside those in use.
SPARE_BLOCKS = 4


def build_trainer(
    run: RunDir, sets: Sequence[ImageDataset], on_step: OnStep, on_finding: OnFinding
) -> Trainer:
    """Build a run's networks and load its newest checkpoint; the run directory is not changed.

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
    trainer = wire(run, state, batch_source(recipe, sets), on_step, on_finding)
    # Each network gets images of one shape, so compiled code is specialised to it.
    if recipe.engine.compile:
        state.generator.compile(dynamic=False)
        state.discriminator.compile(dynamic=False)
    if distributed.run_on_rank0(lambda: newest_step(run.checkpoints)):
        trainer.step = trainer.checkpointer.load()
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


def wire(
    run: RunDir, state: TrainState, batches: BatchSource, on_step: OnStep, on_finding: OnFinding
) -> Trainer:
    """Build a trainer with all its callbacks, in the order that `Callback` documents."""
    recipe, device = run.recipe, pick_device(run.recipe.engine)
    timer = StepTimer(device, recipe.run.batch_size * recipe.optimizers.critic_steps)
    monitor_set, best = MonitorSet(recipe.guards), BestRecord(recipe.keep.metric)
    parts = {MONITOR_STATE: monitor_set, BEST_STATE: best, TIME_STATE: timer}
    checkpointer = Checkpointer(run, state, parts)
    cache = SPARE_BLOCKS if recipe.loading.stream else 0
    held_out = load_validation_sets([Path(place) for place in run.data], batches.sets, cache)
    logs: list[Callback] = []
    files: list[Callback] = []
    if is_main_process():  # rank 0 alone writes
        log, seed = MetricLog(run), recipe.run.seed
        writer = SampleGridWriter(batches.sets, run.samples, seed, device, recipe.picture)
        logs = [log]
        files = [
            SampleGrids(writer, recipe.run.sample_every, log),
            Snapshots(run),
            BestCheckpointCallback(checkpointer, best, held_out, log.write),
        ]
    callbacks = [
        DropoutSchedule(recipe, state.generator),
        ResidualFade(recipe.vanishing.steps, state),
        MovingAverage(),
        PlateauSchedule(),
        Progress(on_step),
        *logs,
        MonitorCallback(checkpointer, monitor_set, batches, on_finding),
        *files,
        PeriodicCheckpoint(checkpointer, recipe),
    ]
    loader = Loader(batches, recipe.loading.workers)
    return Trainer(checkpointer, loader, timer, monitor_set, callbacks)


def cached_blocks(recipe: Config) -> int:
    """Return how many blocks of each set a process keeps in memory; 0 has the sets there whole.

    As many as its lanes, and some room for those that go on to their next one.
    """
    loading, processes = recipe.loading, distributed.world_size() * max(recipe.loading.workers, 1)
    return math.ceil(loading.lanes / processes) + SPARE_BLOCKS if loading.stream else 0
