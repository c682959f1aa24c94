"""Networks by name: how plain settings become a network."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any

from torch import nn

Builder = Callable[[dict[str, object]], nn.Module]


def builder(network: Callable[[Any], nn.Module], settings_type: type) -> Builder:
    """Return what builds a network from plain settings, as a recipe or a bundle has them.

    Everybody is told `caption_dim`, which the data decide; a network that reads no captions has
    no such setting, and is not bothered with it.

    Args:
        network: takes one object of `settings_type`.
        settings_type: a dataclass.
    """
    reads_captions = "caption_dim" in {field.name for field in fields(settings_type)}

    def build(settings: dict[str, object]) -> nn.Module:
        told = {k: v for k, v in settings.items() if reads_captions or k != "caption_dim"}
        return network(settings_type(**told))

    return build
