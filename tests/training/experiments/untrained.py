"""Run directories of tiny networks as they are drawn, without a step of training."""

import torch

from tests.helpers.training.small_run import DIM
from tests.training.config.test_every_recipe import RUN, TINY
from training.config.load import load_recipe
from training.data.manifest import Manifest
from training.runs.checkpoints.checkpoint import save_checkpoint
from training.runs.checkpoints.train_state import build_train_state
from training.runs.run_dir import RunDir


def untrained(folder, prepared, name, *overrides):
    """Leave a run of a recipe made tiny, with a checkpoint."""
    recipe = load_recipe(name, [*RUN, *TINY[name], *overrides])
    run = RunDir.create(folder, recipe, {str(prepared): Manifest.load(prepared).digest})
    state = build_train_state(recipe, DIM, torch.device("cpu"))
    save_checkpoint(run.checkpoints, 0, state.state_dict())
    return folder


def pixels(pictures):
    """Features that need no package: the pictures made small."""
    small = torch.nn.functional.adaptive_avg_pool2d(pictures.float() / 255, 4)
    return small.flatten(1)
