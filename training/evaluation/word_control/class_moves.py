"""Class words: whether naming a class puts it into the image, by ImageNet's classifier."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.data.batches import captions_of
from training.data.memory_dataset import PreparedSplit
from training.evaluation.context import NO_FEATURES, EvalContext
from training.evaluation.dataset import evenly_spaced
from training.evaluation.measurement import Measurement, from_interval, not_measured
from training.evaluation.methods import TRUE_CAPTION, WRONG_CAPTION
from training.evaluation.word_control.class_names import imagenet_rows
from training.metrics.confidence import win_rate
from training.metrics.mobilenet import load_mobilenet, normalize

# The size at which MobileNetV2 is most accurate among the 200 classes of Tiny ImageNet: on 400
# 64×64 pictures of val, 40% at 96, 50% at 128, 54% at 160, 54% at 192, 51% at 224.
CLASSIFIER_SIZE = 160
MAX_CLASSIFIED = 1000  # pictures: the interval is then within 3 percentage points
MEASURE = "class_words"


def class_words(context: EvalContext) -> list[Measurement]:
    """Measure a set whose pictures have WordNet ids as labels."""
    results, pictures = context.results, context.pictures
    loaded = load_mobilenet(context.device)
    if loaded is None:
        return [not_measured(MEASURE, context.name, NO_FEATURES)]
    classes = imagenet_rows(class_captions(results.prepared))
    labels = [results.prepared.labels[row] for row in results.rows.tolist()]
    known = [label in classes for label in labels]
    both = [known[i] and known[other] for i, other in enumerate(pictures.mismatched.tolist())]
    rows = torch.tensor(both).nonzero().flatten()
    rows = rows[evenly_spaced(len(rows), MAX_CLASSIFIED)]
    if not len(rows) or len(classes) < 2:
        return [not_measured(MEASURE, context.name, "no classes of ImageNet")]
    class_index = {wnid: number for number, wnid in enumerate(classes)}
    own = torch.tensor([class_index[labels[i]] for i in rows.tolist()])
    other = torch.tensor([class_index[labels[i]] for i in pictures.mismatched[rows].tolist()])
    selected = pictures.gather(rows)
    images = {
        "own": selected.composites(results.fills[TRUE_CAPTION][rows]),
        "other": selected.composites(results.fills[WRONG_CAPTION][rows]),
        "real": selected.pixels,
    }
    network, digest = loaded
    outputs, probabilities = torch.tensor(list(classes.values())), {}
    for name, pixels in images.items():
        probabilities[name] = classify(network, pixels, outputs, context.batch_size)
        context.report_progress("classes", len(probabilities), len(images))
    name = f"MobileNetV2 (ImageNet) at {CLASSIFIER_SIZE}×{CLASSIFIER_SIZE}, {digest}"
    return [class_measurement(context.name, probabilities, own, other, name)]


def class_measurement(
    data: str, probabilities: dict[str, Tensor], own: Tensor, other: Tensor, network: str = ""
) -> Measurement:
    """Measure how often the probability of a class rises when the caption names it.

    Args:
        data: name of the set.
        probabilities: of each class, `(N, C)`: for the composites whose caption named the `own`
            class, for those whose caption named the `other`, and for the `real` pictures.
        own: the true class of each picture, int64 `(N,)`.
        other: the other class.
        network: name of the classifier.
    """
    true, false = probabilities["own"], probabilities["other"]
    rows = torch.arange(len(own))
    reverse = win_rate(false[rows, other], true[rows, other])
    accuracy = {
        name: float((each.argmax(1) == own).double().mean()) for name, each in probabilities.items()
    }
    return from_interval(
        MEASURE,
        data,
        win_rate(true[rows, own], false[rows, own]),
        f"{len(own):,} pairs",
        network=network,
        details={
            "the other class rises when it is named": str(reverse),
            "classes told apart": float(true.shape[1]),
            "the true class is the first choice, named": accuracy["own"],
            "another named": accuracy["other"],
            "of the real pictures": accuracy["real"],
        },
    )


@torch.inference_mode()
def classify(network: nn.Module, pixels: Tensor, outputs: Tensor, batch_size: int) -> Tensor:
    """Return probabilities `(N, C)` of the classes `outputs` for images uint8 `(N, 3, H, W)`."""
    device = next(network.parameters()).device
    parts = [
        network(normalize(batch.to(device), CLASSIFIER_SIZE)).cpu()
        for batch in torch.split(pixels, batch_size)
    ]
    return torch.cat(parts)[:, outputs].softmax(1)


def class_captions(prepared: PreparedSplit) -> dict[str, list[str]]:
    """Return label -> the captions of its first picture, which name the class."""
    first = {label: row for row, label in reversed(list(enumerate(prepared.labels)))}
    return {label: captions_of(prepared, row) for label, row in first.items()}
