"""Checks of a recipe when it is loaded: the parts exist and fit together."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from models.discriminator_outputs import Logits, PatchLogits, Reconstruction
from models.discriminators import DISCRIMINATORS
from models.generators import GENERATORS
from models.geometry import paste
from training.config.config import ComponentConfig, Config
from training.config.image_spec import ImageSpec
from training.losses.objectives.base import BaseObjective

REGISTRIES: dict[str, dict[str, Any]] = {
    "generator": GENERATORS,
    "discriminator": DISCRIMINATORS,
}


def validate(recipe: Config) -> None:
    """Check that a recipe's parts exist, take their settings and fit together.

    Raises:
        ValueError: one line that names the parts or settings.
    """
    generator = build_meta("generator", recipe.generator)
    discriminator = build_meta("discriminator", recipe.discriminator)
    objective = recipe.build_objective()
    check_output_type(recipe, discriminator, objective)
    objective.check(generator, discriminator)
    check_shapes(recipe.picture, generator, discriminator)
    check_settings(recipe, objective)


def build_meta(player: str, part: ComponentConfig) -> nn.Module:
    """Build a `generator` or `discriminator` on the meta device, so that errors show early.

    Recipes with the same settings share it.

    Raises:
        ValueError: no network of that kind, or not with these settings.
    """
    if part.kind not in REGISTRIES[player]:
        kinds = ", ".join(REGISTRIES[player])
        raise ValueError(f"{player}.kind {part.kind!r} is none of {kinds}")
    try:
        return _build_meta(player, part.kind, json.dumps(part.settings))
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{player}.settings: {error}") from error


# A command reads its recipe several times, and spectral norm takes a second on the meta device.
@lru_cache(maxsize=64)
def _build_meta(player: str, kind: str, settings: str) -> nn.Module:
    with torch.device("meta"):
        built: nn.Module = REGISTRIES[player][kind](json.loads(settings))
    return built


def check_settings(recipe: Config, objective: BaseObjective) -> None:
    """Check that settings fit the objective and the hole."""
    if recipe.optimizers.plateau and objective.plateau_metric is None:
        raise ValueError(
            "optimizers.plateau needs a metric that falls during training, and objective "
            f"{recipe.objective.kind!r} has none"
        )
    if recipe.picture.hole == "all" and recipe.augment.rotate:
        raise ValueError("augment.rotate rotates the hole; with picture.hole 'all' it must be 0")
    if recipe.picture.hole == "all" and recipe.keep.metric == "hole_psnr":
        raise ValueError(
            "keep.metric hole_psnr needs a reference image; picture.hole 'all' has none"
        )
    if recipe.engine.compile and objective.needs_double_backward:
        raise ValueError(
            f"objective {recipe.objective.kind!r} differentiates a gradient, which torch.compile "
            "cannot: set engine.compile to false"
        )


def check_output_type(recipe: Config, discriminator: nn.Module, objective: BaseObjective) -> None:
    """Check that the discriminator's output is what the objective needs."""
    gives: Any = discriminator.output_type
    if gives is not objective.output_type:
        raise ValueError(
            f"objective {recipe.objective.kind!r} needs a discriminator with output "
            f"{objective.output_type.__name__}; the output of {recipe.discriminator.kind!r} is "
            f"{gives.__name__}"
        )


@torch.no_grad()
def check_shapes(picture: ImageSpec, generator: nn.Module, discriminator: nn.Module) -> None:
    """Check the shapes of both networks, on the meta device."""
    size, count = picture.size, 2
    with torch.device("meta"):
        context, mask = torch.zeros(count, 3, size, size), picture.mask(count)
        noise = torch.zeros(count, vector_dim(generator, "noise_dim"))
        caption = torch.zeros(count, vector_dim(generator, "caption_dim"))
        try:
            fill: Tensor = generator(context, mask, caption, noise)
        except RuntimeError as error:
            raise ValueError(f"the generator takes no {size}×{size} pictures") from error
        if fill.shape[-1] != picture.fill_size:
            raise ValueError(
                f"the generator makes {fill.shape[-1]}×{fill.shape[-1]} pixels, and the hole "
                f"({picture.hole}) has {picture.fill_size}×{picture.fill_size}"
            )
        caption = torch.zeros(count, vector_dim(discriminator, "caption_dim"))
        try:
            output = discriminator(paste(context, mask, fill), caption)
        except RuntimeError as error:
            raise ValueError(f"the discriminator takes no {size}×{size} pictures") from error
    if not has_shape(output, context):
        raise ValueError(f"the discriminator is not made for {size}×{size} pictures")


def has_shape(output: Logits | PatchLogits | Reconstruction, pictures: Tensor) -> bool:
    """Whether an output has the shape for these images."""
    if isinstance(output, PatchLogits):
        return output.scores.ndim == 2 and len(output.scores) == len(pictures)
    wanted = (len(pictures),) if isinstance(output, Logits) else pictures.shape
    return output[0].shape == wanted


def vector_dim(network: Any, name: str) -> int:
    """Return the length of a network's input vector; 0 without one."""
    return int(getattr(network.settings, name, 0))
