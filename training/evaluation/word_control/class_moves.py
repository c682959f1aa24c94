"""Whether naming a class puts it into the picture, in the eyes of ImageNet's classifier."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.data.batches import captions_of
from training.data.memory_dataset import PreparedSplit
from training.evaluation.context import EvalContext
from training.evaluation.dataset import evenly_spaced
from training.evaluation.measurement import Measurement, measured, unmeasured
from training.evaluation.methods import TRUE, WRONG
from training.evaluation.word_control.class_names import imagenet_rows
from training.metrics.confidence import share_won, told
from training.metrics.mobilenet import load_mobilenet, prepared

# Where MobileNetV2 names most of Tiny ImageNet's 64×64 pictures right among its 200 classes: of
# 400 of them, evenly spaced through val, 40% at 96, 50% at 128, 54% at 160, 54% at 192, 51% at 224.
CLASSIFIED_AT = 160
CLASSIFIED = 1000  # pictures at most: the interval is then within 3 percentage points
NAME = "class_words"


def class_words(subject: EvalContext) -> list[Measurement]:
    """Of a set whose pictures have WordNet ids for labels."""
    done, pictures = subject.done, subject.pictures
    classes = imagenet_rows(class_captions(done.prepared))
    labels = [done.prepared.labels[row] for row in done.rows.tolist()]
    named = [label in classes for label in labels]
    found = load_mobilenet(subject.device)
    if found is None:
        return [unmeasured(NAME, done.name, subject.why_blind)]
    both = [named[i] and named[other] for i, other in enumerate(pictures.others.tolist())]
    pairs = torch.tensor(both).nonzero().flatten()
    pairs = pairs[evenly_spaced(len(pairs), CLASSIFIED)]
    if not len(pairs) or len(classes) < 2:
        return [unmeasured(NAME, done.name, "no classes of ImageNet")]
    outputs = torch.tensor(list(classes.values()))
    place = {wnid: number for number, wnid in enumerate(classes)}
    own = torch.tensor([place[labels[i]] for i in pairs.tolist()])
    other = torch.tensor([place[labels[i]] for i in pictures.others[pairs].tolist()])
    some = pictures.take(pairs)
    looks = {
        "own": some.composites(done.fills[TRUE][pairs]),
        "other": some.composites(done.fills[WRONG][pairs]),
        "real": some.pixels,
    }
    chances = {}
    for stage, pixels in looks.items():
        chances[stage] = classify(found[0], pixels, outputs, subject.batch_size)
        subject.tell("classes", len(chances), len(looks))
    network, digest = f"MobileNetV2 (ImageNet) at {CLASSIFIED_AT}×{CLASSIFIED_AT}", found[1]
    return [judged(done.name, chances, own, other, f"{network}, {digest}")]


def judged(
    data: str, chances: dict[str, Tensor], own: Tensor, other: Tensor, network: str = ""
) -> Measurement:
    """The figure.

    Args:
        data: what to call the pictures.
        chances: of the composites whose caption named the `own` class, of those whose caption
            named the `other`, and of the `real` pictures: `(N, C)`, of each class.
        own: the true class of each, int64 `(N,)`.
        other: the other one.
        network: that classified.
    """
    true, false = chances["own"], chances["other"]
    rows = torch.arange(len(own))
    rises = share_won(true[rows, own], false[rows, own])
    backwards = share_won(false[rows, other], true[rows, other])
    first = {who: float((one.argmax(1) == own).double().mean()) for who, one in chances.items()}
    return measured(
        NAME,
        data,
        rises,
        f"{len(own):,} pairs",
        network=network,
        beside={
            "the other class rises when it is named": told(backwards),
            "classes told apart": float(true.shape[1]),
            "the true class is the first choice, named": first["own"],
            "another named": first["other"],
            "of the real pictures": first["real"],
        },
    )


@torch.inference_mode()
def classify(network: nn.Module, pixels: Tensor, outputs: Tensor, batch_size: int) -> Tensor:
    """Probabilities of some of ImageNet's classes, `(N, C)`, of pictures uint8 `(N, 3, H, W)`."""
    device = next(network.parameters()).device
    parts = [
        network(prepared(some.to(device), CLASSIFIED_AT)).cpu() for some in pixels.split(batch_size)
    ]
    return torch.cat(parts)[:, outputs].softmax(1)


def class_captions(prepared: PreparedSplit) -> dict[str, list[str]]:
    """Label -> the captions of its first picture, which name the class."""
    first = {label: row for row, label in reversed(list(enumerate(prepared.labels)))}
    return {label: captions_of(prepared, row) for label, row in first.items()}
