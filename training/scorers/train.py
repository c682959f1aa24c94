"""Training of caption scorers on real images, with the symmetric contrastive loss."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from models.frozen.scorers import Scorer
from training.common.console import StageProgress
from training.data.batches import load_sets
from training.data.manifest import Manifest
from training.data.memory_dataset import load_split
from training.data.sampling import mix_seed
from training.losses.frozen import contrastive_loss
from training.optim.precision import autocast
from training.scorers.kinds import ScorerKind
from training.scorers.pairs import ScorerSchedule, augmented_pairs, cached_pairs
from training.scorers.precision import precision_at_1

# Called with the step and its loss.
StepProgress = Callable[[int, float], None]


def no_progress(stage: str, done: int, total: int | None) -> None:
    """Report nothing."""


def train_scorer(
    kind: ScorerKind,
    data: Sequence[Path],
    schedule: ScorerSchedule,
    on_step: StepProgress,
    on_features: StageProgress = no_progress,
) -> Scorer:
    """Train a scorer on the `train` splits of prepared folders.

    Args:
        kind: one of `SCORER_KINDS`.
        data: prepared folders.
        schedule: length and rates of the training.
        on_step: called with the step and its loss.
        on_features: called with the number of images whose input is extracted in advance.

    Raises:
        PreparedDataError: the data do not fit.
    """
    sets = load_sets(data, "train")
    torch.manual_seed(schedule.seed)
    scorer = kind.build(sets[0].manifest.caption_dim).train()
    pairs = (
        cached_pairs(kind, sets, schedule, on_features)
        if kind.cached
        else augmented_pairs(kind, sets, schedule)
    )
    optimizer = torch.optim.AdamW(scorer.parameters(), lr=schedule.lr, weight_decay=0.01)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, schedule.lr, schedule.steps)
    for step in range(schedule.steps):
        torch.manual_seed(mix_seed(schedule.seed, step))
        loss = symmetric_loss(scorer, *pairs(step))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        rate.step()
        on_step(step + 1, float(loss.detach()))
    return scorer.eval()


def train_and_test(
    kind: ScorerKind,
    data: Sequence[Path],
    schedule: ScorerSchedule,
    on_step: StepProgress,
    on_features: StageProgress = no_progress,
) -> tuple[Scorer, dict[str, float]]:
    """Train a scorer, and return its `precision_at_1` on the held-out images of each folder.

    The arguments and errors are those of `train_scorer`.
    """
    # Read before training, so that damaged data are found first.
    held_out = [load_split(place, Manifest.load(place).validation_split) for place in data]
    scorer = train_scorer(kind, data, schedule, on_step, on_features)
    return scorer, {one.manifest.source: precision_at_1(scorer, kind, one) for one in held_out}


def symmetric_loss(scorer: Scorer, inputs: Tensor, caption: Tensor) -> Tensor:
    """Contrastive loss in both directions (Radford et al. 2021, Fig. 3), a scalar."""
    with autocast("auto", inputs.device.type):
        images, captions = scorer.encode_images(inputs), scorer.encode_captions(caption)
    return (
        contrastive_loss(images, captions, caption) + contrastive_loss(captions, images, caption)
    ).mean() / 2
