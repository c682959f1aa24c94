"""Builders of networks from plain settings."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any

from torch import nn

Builder = Callable[[dict[str, object]], nn.Module]


def builder(network: Callable[[Any], nn.Module], settings_type: type) -> Builder:
    """Return a builder of a network from plain settings, as a recipe or a bundle has them.

    `network` takes one object of the dataclass `settings_type`. `caption_dim`, which follows from
    the data, is always given; it is dropped for a network that reads no captions.
    """
    reads_captions = "caption_dim" in {field.name for field in fields(settings_type)}

    def build(settings: dict[str, object]) -> nn.Module:
        used = {k: v for k, v in settings.items() if reads_captions or k != "caption_dim"}
        return network(settings_type(**used))

    return build
