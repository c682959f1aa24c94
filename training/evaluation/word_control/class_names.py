"""Maps WordNet ids of Tiny ImageNet to ImageNet's 1,000 classes, by the class names alone."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

WNID = re.compile(r"n\d{8}")
# The captions that `training.data.sources.tiny_imagenet` makes of a class name.
WORDING = re.compile(r"^(?:(?:a photo of|a picture showing|a close view of) )?(?:an? )?(.+)$")


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
