"""Trains caption-picture scorers on real pictures, by the symmetric contrastive loss."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from models.bundle import halve
from models.geometry import centre
from models.projected import ProjectedDiscriminator, ProjectedSettings
from models.scorers import Scorer, ScorerSettings, plain_scorer
from training.augment import corners
from training.dataset import Batch, BatchSource, load_sets, mix, plain_batch
from training.recipe import Augment
from training.shards import PictureSet
from training.steering import build_steering, caption_map, contrast

JITTER = 4  # pixels a window is moved, either way
AT_ONCE = 32  # pictures that the frozen network sees at once: more do not fit a core's cache
HELD_OUT_ROWS = 1000
RANKED = 100


@dataclass(frozen=True)
class Schedule:
    """How a scorer is trained.

    Attributes:
        steps: of Adam, the rate falling along a half cosine.
        batch_size: pictures a step, which are each other's negatives.
        lr: highest learning rate.
        seed: of weights and batches.
    """

    steps: int = 2000
    batch_size: int = 256
    lr: float = 1e-3
    seed: int = 0


@dataclass(frozen=True)
class Kind:
    """A kind of scorer: how it is built, and what it sees of whole pictures `(N, 3, 64, 64)`."""

    build: Callable[[], Scorer]
    see: Callable[[Tensor], Tensor]


def see_features(images: Tensor) -> Tensor:
    """Look through the frozen network at a window that is moved a little."""
    eye = ProjectedDiscriminator(ProjectedSettings())
    row, column = (
        corners(1, 2 * JITTER, torch.default_generator)[0] - JITTER + eye.middle
    ).tolist()
    with torch.no_grad():
        parts = [caption_map(eye.look(some, (row, column))) for some in images.split(AT_ONCE)]
    return torch.cat(parts)


KINDS = {
    "plain": Kind(lambda: plain_scorer(ScorerSettings()), centre),
    "steering": Kind(build_steering, see_features),
}


def train_scorer(
    kind: Kind,
    data: Sequence[Path],
    schedule: Schedule,
    progress: Callable[[int, float], None],
) -> Scorer:
    """Train a scorer on the `train` splits of prepared folders, several captions a picture.

    Args:
        kind: one of `KINDS`.
        data: prepared folders.
        schedule: for how long.
        progress: told the step and its loss.
    """
    torch.manual_seed(schedule.seed)
    scorer = kind.build().train()
    augment = Augment(rotate=0.0, drop_caption=0.0)
    sets = load_sets(data, "train")
    source = BatchSource(sets, schedule.batch_size, 0.5, augment, schedule.seed)
    optimizer = torch.optim.AdamW(scorer.parameters(), lr=schedule.lr, weight_decay=0.01)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, schedule.lr, schedule.steps)
    for step in range(schedule.steps):
        torch.manual_seed(mix(schedule.seed, step))
        loss = batch_loss(scorer, kind, source.batch(step))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        rate.step()
        progress(step + 1, float(loss.detach()))
    return scorer.eval()


def batch_loss(scorer: Scorer, kind: Kind, batch: Batch) -> Tensor:
    """The contrastive loss both ways (Radford et al. 2021, Fig. 3), a scalar."""
    visible = kind.see(batch.images)
    with torch.autocast(visible.device.type, torch.bfloat16):
        seen, read = scorer.see_centres(visible), scorer.read_captions(batch.caption)
    there = contrast(seen, read, batch.caption)
    back = contrast(read, seen, batch.caption)
    return (there + back).mean() / 2


@torch.inference_mode()
def precision_at_1(scorer: Scorer, kind: Kind, pictures: PictureSet) -> float:
    """R-precision@1 of 100 on held-out pictures: how often the own caption comes out first.

    Xu et al. 2018, "AttnGAN", §4.1, with the first caption of each picture, in the pictures' order;
    of those that mean the same (`SAME`) any will do.
    """
    hits = []
    for rows in torch.arange(min(len(pictures), HELD_OUT_ROWS)).split(RANKED):
        batch = plain_batch(pictures, rows)
        scores = scorer.see_centres(kind.see(batch.images)) @ scorer.read_captions(batch.caption).T
        best = scores.argmax(1)
        hits.append((batch.caption * batch.caption[best]).sum(1) > 0.999)
    return float(torch.cat(hits).float().mean())


def save_scorer(scorer: nn.Module, path: Path) -> None:
    """Write weights, halved to float16."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: halve(value) for name, value in scorer.state_dict().items()}, path)
