"""Trains caption-picture scorers on real pictures, by the symmetric contrastive loss.

There are four, and none may do another's work: `plain` is what a bundle ships to rank fills,
`steering` (`models.frozen.caption_scorer`) and `hole` (`training.losses.frozen.hole_scorer`) are
what a generator is trained against, and `judge` sees through a network that nothing is trained
against, and does nothing but judge in evaluations.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from models.discriminators.projected import ProjectedDiscriminator, ProjectedSettings
from models.frozen.caption_scorer import build_caption_scorer, scorer_input
from models.frozen.scorers import Scorer, ScorerSettings, plain_scorer
from models.geometry import centre, to_uint8
from models.runtime.bundle import halve
from training.common.console import StageProgress
from training.common.errors import RunError
from training.common.output_files import write_atomically, write_error
from training.config.config import AugmentConfig
from training.data.batches import BatchSource, caption_rows, load_sets, mix, plain_batch
from training.data.manifest import Manifest
from training.data.memory_dataset import PictureSet, load_split
from training.data.sampling import epoch_rows, shares
from training.losses.frozen.augmented_views import RESOLUTIONS, View, sample_view
from training.losses.frozen.contrastive import contrastive_loss
from training.losses.frozen.hole_scorer import HoleView, sample_hole_view
from training.metrics.mobilenet import require_extractor
from training.optim.precision import autocast

JITTER = 4  # pixels a window is moved, either way
MAX_NOISE = 0.1  # standard deviation, in units of -1 to 1
CHUNK = 32  # pictures that a frozen network sees at once: more do not fit a core's cache
HELD_OUT_ROWS = 1000
RANKING_SIZE = 100
JUDGE_FEATURES, JUDGE_WIDTH = 1280, 512


@dataclass(frozen=True)
class ScorerSchedule:
    """How a scorer is trained.

    Attributes:
        steps: of AdamW, the rate rising and falling once.
        batch_size: pictures a step, which are each other's negatives.
        lr: highest learning rate.
        balance: how sets of pictures share a batch, as in a recipe.
        seed: of weights and batches.
    """

    steps: int = 1300
    batch_size: int = 256
    lr: float = 1e-3
    balance: float = 0.5
    seed: int = 0


@dataclass(frozen=True)
class ScorerKind:
    """A kind of scorer.

    Attributes:
        build: makes one, given the length of a caption vector.
        see: what it sees of whole pictures `(N, 3, 64, 64)`, -1 to 1.
        anew: what it sees of them while it is trained, another way each time; None for the same.
        once: whether it looks at each picture once, upright, and learns from what it remembers:
            for what is slow to look through.
    """

    build: Callable[[int], Scorer]
    see: Callable[[Tensor], Tensor]
    anew: Callable[[Tensor], Tensor] | None = None
    once: bool = False


StepProgress = Callable[[int, float], None]
"""Told the step and its loss."""

Pairs = Callable[[int], tuple[Tensor, Tensor]]
"""A step to what is seen of its pictures, and their caption vectors."""


def extract_centre(images: Tensor) -> Tensor:
    """Look at the centres as they are, laid out as a core convolves them 1.4 times as fast."""
    return centre(images).contiguous(memory_format=torch.channels_last)


def extract_window(images: Tensor) -> Tensor:
    """Look through the generators' adversary's frozen network, straight, `(N, 155, 5, 5)`."""
    return extract_view(
        images, lambda eye: View((eye.middle, eye.middle), eye.settings.resolution, 0)
    )


def extract_random_window(images: Tensor) -> Tensor:
    """Look through it another way each time, as fills are looked at, and with more noise."""
    noise = MAX_NOISE * float(torch.rand(()))
    return extract_view(images, lambda eye: sample_view(eye, JITTER, RESOLUTIONS, noise))


def extract_view(images: Tensor, view: Callable[[ProjectedDiscriminator], View]) -> Tensor:
    """Return the caption maps of pictures `(N, 3, 64, 64)`, seen so."""
    eye = ProjectedDiscriminator(ProjectedSettings())
    chosen = view(eye)
    with torch.no_grad():
        looks = [chosen.look(eye, some) for some in images.split(CHUNK)]
    return torch.cat([scorer_input(looked.window, looked.features) for looked in looks])


def extract_hole(images: Tensor) -> Tensor:
    """Look through the same network into the hole alone, straight, `(N, 155, 4, 4)`."""
    return extract_hole_view(images, HoleView())


def extract_random_hole(images: Tensor) -> Tensor:
    """Look into the hole another way each time."""
    return extract_hole_view(images, sample_hole_view(MAX_NOISE * float(torch.rand(()))))


def extract_hole_view(images: Tensor, view: HoleView) -> Tensor:
    """Return the caption maps of the holes of pictures `(N, 3, 64, 64)`, seen so."""
    with torch.no_grad():
        return torch.cat([view.look(some) for some in images.split(CHUNK)])


def extract_pooled(images: Tensor) -> Tensor:
    """Look at the centres through the network of KID, `(N, 1280)`."""
    return require_extractor()(to_uint8(centre(images))).clone()


def build_judge(caption_dim: int) -> Scorer:
    """Build the scorer that judges: a small perceptron on pooled features."""
    layers = [nn.Linear(JUDGE_FEATURES, JUDGE_WIDTH), nn.LeakyReLU(0.2), nn.Dropout(0.2)]
    return Scorer(nn.Sequential(*layers), JUDGE_WIDTH, caption_dim, JUDGE_WIDTH // 4)


SCORER_KINDS = {
    "plain": ScorerKind(
        lambda caption_dim: plain_scorer(ScorerSettings(caption_dim)), extract_centre
    ),
    "steering": ScorerKind(build_caption_scorer, extract_window, extract_random_window),
    "hole": ScorerKind(build_caption_scorer, extract_hole, extract_random_hole),
    "judge": ScorerKind(build_judge, extract_pooled, once=True),
}


def train_scorer(
    kind: ScorerKind,
    data: Sequence[Path],
    schedule: ScorerSchedule,
    progress: StepProgress,
    looking: StageProgress = lambda stage, done, total: None,
) -> Scorer:
    """Train a scorer on the `train` splits of prepared folders, several captions a picture.

    Args:
        kind: one of `SCORER_KINDS`.
        data: prepared folders.
        schedule: for how long.
        progress: told the step and its loss.
        looking: told how many pictures were looked at, where that is done once and before.

    Raises:
        PreparedDataError: the data do not fit.
    """
    sets = load_sets(data, "train")
    torch.manual_seed(schedule.seed)
    scorer = kind.build(sets[0].manifest.caption_dim).train()
    pairs = (
        cached_pairs(kind, sets, schedule, looking)
        if kind.once
        else augmented_pairs(kind, sets, schedule)
    )
    optimizer = torch.optim.AdamW(scorer.parameters(), lr=schedule.lr, weight_decay=0.01)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, schedule.lr, schedule.steps)
    for step in range(schedule.steps):
        torch.manual_seed(mix(schedule.seed, step))
        loss = symmetric_loss(scorer, *pairs(step))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        rate.step()
        progress(step + 1, float(loss.detach()))
    return scorer.eval()


def train_and_test(
    kind: ScorerKind,
    data: Sequence[Path],
    schedule: ScorerSchedule,
    progress: StepProgress,
    looking: StageProgress = lambda stage, done, total: None,
) -> tuple[Scorer, dict[str, float]]:
    """Train a scorer, and measure it on each folder's held-out pictures (`precision_at_1`).

    The arguments and errors are those of `train_scorer`.
    """
    # Read first: what is wrong with them must not cost a training.
    held_out = [load_split(place, Manifest.load(place).held_out) for place in data]
    scorer = train_scorer(kind, data, schedule, progress, looking)
    return scorer, {
        pictures.manifest.source: precision_at_1(scorer, kind, pictures) for pictures in held_out
    }


def augmented_pairs(
    kind: ScorerKind, sets: Sequence[PictureSet], schedule: ScorerSchedule
) -> Pairs:
    """Look at other crops, mirrored or not, each time."""
    augment = AugmentConfig(rotate=0.0, drop_caption=0.0)
    source = BatchSource(sets, schedule.batch_size, schedule.balance, augment, schedule.seed)
    see = kind.anew or kind.see

    def pairs(step: int) -> tuple[Tensor, Tensor]:
        batch = source.batch(step)
        return see(batch.images), batch.caption

    return pairs


def cached_pairs(
    kind: ScorerKind, sets: Sequence[PictureSet], schedule: ScorerSchedule, looking: StageProgress
) -> Pairs:
    """Look at every picture once; of its captions one is drawn each time."""
    seen = [extract_all(kind, one, looking) for one in sets]
    parts = shares([len(one) for one in sets], schedule.batch_size, schedule.balance)

    def pairs(step: int) -> tuple[Tensor, Tensor]:
        visible, told = [], []
        for number, (one, count) in enumerate(zip(sets, parts, strict=True)):
            rows = epoch_rows(len(one), count, step, mix(schedule.seed, number))
            some = one.take(rows)
            chosen = caption_rows(some.caption_offsets, torch.rand(count))
            visible.append(seen[number][rows])
            told.append(some.caption_vectors[chosen].float())
        return torch.cat(visible), torch.cat(told)

    return pairs


def extract_all(kind: ScorerKind, pictures: PictureSet, looking: StageProgress) -> Tensor:
    """What a scorer sees of every picture, upright, in the pictures' order."""
    count, seen = len(pictures), []
    for rows in torch.arange(count).split(CHUNK):
        seen.append(kind.see(plain_batch(pictures, rows).images))
        looking(f"looking at {pictures.manifest.source}", int(rows[-1]) + 1, count)
    return torch.cat(seen)


def symmetric_loss(scorer: Scorer, visible: Tensor, caption: Tensor) -> Tensor:
    """The contrastive loss both ways (Radford et al. 2021, Fig. 3), a scalar."""
    with autocast("auto", visible.device.type):
        seen, read = scorer.encode_images(visible), scorer.encode_captions(caption)
    return (
        contrastive_loss(seen, read, caption) + contrastive_loss(read, seen, caption)
    ).mean() / 2


@torch.inference_mode()
def precision_at_1(scorer: Scorer, kind: ScorerKind, pictures: PictureSet) -> float:
    """R-precision@1 of 100 on held-out pictures: how often the own caption comes out first.

    Xu et al. 2018, "AttnGAN", §4.1, with the first caption of each picture, in the pictures' order;
    where several pictures have the same one, any of them will do.
    """
    hits = []
    for rows in torch.arange(min(len(pictures), HELD_OUT_ROWS)).split(RANKING_SIZE):
        batch = plain_batch(pictures, rows)
        seen = scorer.encode_images(kind.see(batch.images))
        hits.append(ranks_own_first(seen, scorer.encode_captions(batch.caption), batch.caption))
    return float(torch.cat(hits).float().mean())


def ranks_own_first(seen: Tensor, read: Tensor, caption: Tensor) -> Tensor:
    """Tell of each picture whether its own caption fits it best of all, bool `(N,)`.

    Args:
        seen: codes of the pictures, `(N, code)`.
        read: codes of their captions.
        caption: the captions' vectors, `(N, D)`; where several are the same, any of them will do.
    """
    best = (seen @ read.T).argmax(1)
    return (caption * caption[best]).sum(1) > 0.999


def save_scorer(scorer: nn.Module, path: Path) -> None:
    """Write weights, halved to float16.

    Raises:
        OutputError: the file cannot be written.
    """
    try:
        halved = {name: halve(value) for name, value in scorer.state_dict().items()}
        write_atomically(path, save(halved))
    except OSError as error:
        raise write_error(path, error) from error


def load_scorer(kind: ScorerKind, path: Path, caption_dim: int) -> Scorer:
    """Read what `save_scorer` wrote, as float32, ready for inference.

    Args:
        kind: which it is.
        path: of the file.
        caption_dim: length of the caption vectors it is to read.

    Raises:
        RunError: it is not there, or is of another kind.
    """
    scorer = kind.build(caption_dim)
    try:
        scorer.load_state_dict({k: v.float() for k, v in load_file(path).items()})
    except (OSError, RuntimeError, SafetensorError) as error:
        raise RunError(f"no such scorer at {path}: {str(error).splitlines()[0]}") from error
    return scorer.eval().requires_grad_(False)
