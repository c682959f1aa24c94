"""Class words: whether naming a class puts it into the image, by ImageNet's classifier."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from training.data.batches import captions_of
from training.evaluation.benchmarks.context import EvalContext
from training.evaluation.benchmarks.measurement import Measurement, NotMeasuredError, from_interval
from training.evaluation.dataset import evenly_spaced
from training.evaluation.methods import REAL, TRUE_CAPTION, WRONG_CAPTION
from training.evaluation.metrics.confidence import win_rate
from training.evaluation.metrics.mobilenet import (
    PACKAGE,
    FeatureExtractor,
    load_mobilenet,
    normalize,
)

# The size at which MobileNetV2 is most accurate among the 200 classes of Tiny ImageNet: on 400
# 64×64 pictures of val, 40% at 96, 50% at 128, 54% at 160, 54% at 192, 51% at 224.
CLASSIFIER_SIZE = 160
MAX_CLASSIFIED = 1000  # pictures: the interval is then within 3 percentage points
WNID = re.compile(r"n\d{8}")
# The captions that `training.data.sources.tiny_imagenet` makes of a class name.
WORDING = re.compile(r"^(?:(?:a photo of|a picture showing|a close view of) )?(?:an? )?(.+)$")


def class_words(context: EvalContext) -> Measurement:
    """Measure a set whose pictures have WordNet ids as labels."""
    pictures, prepared = context.pictures, context.prepared
    loaded = load_mobilenet()
    if loaded is None:
        raise NotMeasuredError(f"needs the package {PACKAGE}")
    # In reverse, so that of each class the captions of the first picture remain.
    labelled = reversed(list(enumerate(prepared.labels)))
    outputs = imagenet_rows({label: captions_of(prepared, row) for row, label in labelled})
    numbers = {label: number for number, label in enumerate(outputs)}
    own = torch.tensor([numbers.get(prepared.labels[row], -1) for row in context.rows.tolist()])
    other = own[pictures.mismatched]
    rows = ((own >= 0) & (other >= 0)).nonzero().flatten()
    rows = rows[evenly_spaced(len(rows), MAX_CLASSIFIED)]
    if not len(rows) or len(outputs) < 2:
        raise NotMeasuredError("no classes of ImageNet")
    network, digest = loaded
    name = f"MobileNetV2 (ImageNet) at {CLASSIFIER_SIZE}×{CLASSIFIER_SIZE}, {digest}"
    preprocess = partial(normalize, resolution=CLASSIFIER_SIZE)
    classify = FeatureExtractor(name, digest, network, preprocess)
    selected, columns, probabilities = pictures.gather(rows), list(outputs.values()), {}
    for method in (TRUE_CAPTION, WRONG_CAPTION, REAL):
        composites = selected.composites(context.fills(method)[rows])
        logits = classify(composites, context.batch_size)
        probabilities[method] = logits[:, columns].softmax(1)
        context.report_progress("classes", len(probabilities), 3)
    return class_measurement(probabilities, own[rows], other[rows], name)


def class_measurement(
    probabilities: Mapping[str, Tensor], own: Tensor, other: Tensor, network: str = ""
) -> Measurement:
    """Measure how often the probability of a class rises when the caption names it.

    Args:
        probabilities: method -> of each class, `(N, C)`.
        own: the class of each picture that its true caption names, int64 `(N,)`.
        other: the class that its wrong caption names.
        network: name of the classifier.
    """
    true, wrong = probabilities[TRUE_CAPTION], probabilities[WRONG_CAPTION]
    rows = torch.arange(len(own))
    accuracy = {
        name: float((each.argmax(1) == own).double().mean()) for name, each in probabilities.items()
    }
    other_share = win_rate(wrong[rows, other], true[rows, other])
    details: dict[str, float | str] = {
        "the other class rises when it is named": str(other_share),
        "classes told apart": float(true.shape[1]),
        "the true class is the first choice, named": accuracy[TRUE_CAPTION],
        "another named": accuracy[WRONG_CAPTION],
        "of the real pictures": accuracy[REAL],
    }
    share = win_rate(true[rows, own], wrong[rows, own])
    return from_interval(share, f"{len(own):,} pairs", network, details)


def imagenet_names() -> list[str]:
    """Return ImageNet's class names in the order of its classifiers' outputs."""
    from torchvision.models import MobileNet_V2_Weights  # noqa: PLC0415 - takes more than a second

    return list(MobileNet_V2_Weights.IMAGENET1K_V1.meta["categories"])


def imagenet_rows(captions: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Find the classifier outputs of some classes.

    Outputs are in the order of the WordNet ids. So the neighbours in that order decide a name that
    two outputs have (`cardigan`, the dog and the jacket).

    Args:
        captions: WordNet id -> captions that name the class.

    Returns:
        WordNet id -> 0 to 999; ids whose output is ambiguous or unknown are left out.
    """
    outputs: dict[str, list[int]] = {}
    for row, name in enumerate(imagenet_names()):
        outputs.setdefault(name.lower(), []).append(row)
    found = {
        wnid: {row for text in texts for row in outputs.get(class_name(text), [])}
        for wnid, texts in sorted(captions.items())
        if WNID.fullmatch(wnid)
    }
    resolved = {wnid: min(rows) for wnid, rows in found.items() if len(rows) == 1}
    for wnid, rows in found.items():
        low = max((row for other, row in resolved.items() if other < wnid), default=-1)
        high = min((row for other, row in resolved.items() if other > wnid), default=1000)
        possible = [row for row in rows if low < row < high]
        if wnid not in resolved and len(possible) == 1:
            resolved[wnid] = possible[0]
    return dict(sorted(resolved.items()))


def class_name(caption: str) -> str:
    """Return the class name in a caption, in lower case."""
    match = WORDING.match(caption.lower())
    return match[1] if match else ""
