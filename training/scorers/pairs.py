"""Pairs of scorer input and caption vectors to train a scorer on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from training.common.console import StageProgress
from training.config.config import AugmentConfig
from training.data.batches import BatchSource, ImageDataset, choose_captions, plain_batch
from training.data.sampling import epoch_rows, mix_seed, split_batch
from training.scorers.kinds import CHUNK, ScorerKind

# A step → the scorer's input of its images, and their caption vectors.
Pairs = Callable[[int], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class ScorerSchedule:
    """How a scorer is trained.

    Attributes:
        steps: of AdamW, with a one-cycle learning rate.
        batch_size: images a step; they are each other's negatives.
        lr: highest learning rate.
        balance: how data sets share a batch, as in a recipe.
        seed: of weights and batches.
    """

    steps: int = 1300
    batch_size: int = 256
    lr: float = 1e-3
    balance: float = 0.5
    seed: int = 0


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
