"""Training of caption scorers on real images, with the symmetric contrastive loss."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from models.frozen.scorers import Scorer
from training.common.console import StageProgress, no_progress
from training.config.config import AugmentConfig
from training.data.batches import (
    BatchSource,
    ImageDataset,
    choose_captions,
    load_sets,
    plain_batch,
)
from training.data.manifest import Manifest
from training.data.memory_dataset import load_split
from training.data.sampling import epoch_rows, mix_seed, split_batch
from training.evaluation.scorers.judge import RANKING_SIZE, ranks_own_first
from training.evaluation.scorers.kinds import CHUNK, ScorerKind
from training.losses.frozen import contrastive_loss
from training.optim.precision import autocast

HELD_OUT_ROWS = 1000

Pairs = Callable[[int], tuple[Tensor, Tensor]]
"""A step to the scorer's input of its images, and their caption vectors."""

StepProgress = Callable[[int, float], None]
"""Called with the step and its loss."""


@dataclass(frozen=True)
class ScorerSchedule:
    """How a scorer is trained: by AdamW with a one-cycle learning rate of at most `lr`.

    The images of a batch are each other's negatives. Data sets share it by `balance`, as in a
    recipe. `seed` is of weights and batches.
    """

    steps: int = 1300
    batch_size: int = 256
    lr: float = 1e-3
    balance: float = 0.5
    seed: int = 0


def train_scorer(
    kind: ScorerKind,
    data: Sequence[Path],
    schedule: ScorerSchedule,
    on_step: StepProgress,
    on_features: StageProgress = no_progress,
) -> tuple[Scorer, dict[str, float]]:
    """Train a scorer on the `train` splits of prepared folders.

    `on_features` is called with the number of images whose input is extracted in advance.

    Returns:
        The scorer, and its `precision_at_1` on the held-out images of each folder, by source.

    Raises:
        PreparedDataError: the data do not fit.
    """
    # Read before training, so that damaged data are found first.
    held_out = [load_split(place, Manifest.load(place).validation_split) for place in data]
    sets = load_sets(data, "train")
    torch.manual_seed(schedule.seed)
    scorer = kind.build(sets[0].manifest.caption_dim).train()
    pairs = (
        cached_pairs(kind, sets, schedule, on_features)
        if kind.cached
        else augmented_pairs(kind, sets, schedule)
    )
    optimize(scorer, pairs, schedule, on_step)
    return scorer, {one.manifest.source: precision_at_1(scorer, kind, one) for one in held_out}


def optimize(scorer: Scorer, pairs: Pairs, schedule: ScorerSchedule, on_step: StepProgress) -> None:
    """Train a scorer on pairs, and set it to evaluation mode."""
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
    scorer.eval()


def symmetric_loss(scorer: Scorer, inputs: Tensor, caption: Tensor) -> Tensor:
    """Contrastive loss in both directions (Radford et al. 2021, Fig. 3), a scalar."""
    with autocast("auto", inputs.device.type):
        images, captions = scorer.encode_images(inputs), scorer.encode_captions(caption)
    return (
        contrastive_loss(images, captions, caption) + contrastive_loss(captions, images, caption)
    ).mean() / 2


def augmented_pairs(
    kind: ScorerKind, sets: Sequence[ImageDataset], schedule: ScorerSchedule
) -> Pairs:
    """Extract the input of new random crops and flips at every step."""
    augment = AugmentConfig(rotate=0.0, drop_caption=0.0)
    source = BatchSource(sets, schedule.batch_size, schedule.balance, augment, schedule.seed)
    extract = kind.augment or kind.extract

    def pairs(step: int) -> tuple[Tensor, Tensor]:
        batch = source.batch(step)
        return extract(batch.images), batch.caption

    return pairs


def cached_pairs(
    kind: ScorerKind,
    sets: Sequence[ImageDataset],
    schedule: ScorerSchedule,
    progress: StageProgress,
) -> Pairs:
    """Extract the input of every image once; draw one of its captions at every step."""
    cache = [extract_all(kind, one, progress) for one in sets]
    parts = split_batch([len(one) for one in sets], schedule.batch_size, schedule.balance)

    def pairs(step: int) -> tuple[Tensor, Tensor]:
        inputs, vectors = [], []
        for number, (one, count) in enumerate(zip(sets, parts, strict=True)):
            rows = epoch_rows(len(one), count, step, mix_seed(schedule.seed, number))
            sample = one.gather(rows)
            chosen = choose_captions(sample.caption_offsets, torch.rand(count))
            inputs.append(cache[number][rows])
            vectors.append(sample.caption_vectors[chosen].float())
        return torch.cat(inputs), torch.cat(vectors)

    return pairs


def extract_all(kind: ScorerKind, pictures: ImageDataset, progress: StageProgress) -> Tensor:
    """Extract the scorer's input of every image, without augmentation, in order."""
    count, chunks = len(pictures), []
    for rows in torch.split(torch.arange(count), CHUNK):
        chunks.append(kind.extract(plain_batch(pictures, rows).images))
        progress(f"features of {pictures.manifest.source}", int(rows[-1]) + 1, count)
    return torch.cat(chunks)


@torch.inference_mode()
def precision_at_1(scorer: Scorer, kind: ScorerKind, pictures: ImageDataset) -> float:
    """R-precision@1 of 100: how often an image's own caption has the highest score.

    Xu et al. 2018, "AttnGAN", §4.1, with the first caption of each image, in order. Where several
    images have the same caption, any of them counts.
    """
    hits = []
    all_rows = torch.arange(min(len(pictures), HELD_OUT_ROWS))
    for rows in torch.split(all_rows, RANKING_SIZE):
        batch = plain_batch(pictures, rows)
        codes = scorer.encode_images(kind.extract(batch.images))
        hits.append(ranks_own_first(codes, scorer.encode_captions(batch.caption), batch.caption))
    return float(torch.cat(hits).float().mean())
