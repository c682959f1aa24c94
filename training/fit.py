"""Do a recipe's parts go together? Asked when it is loaded, before any work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import nn

from training.objectives.base import Objective

if TYPE_CHECKING:
    from training.recipe import Recipe


def check_fit(
    recipe: Recipe, generator: nn.Module, discriminator: nn.Module, objective: Objective
) -> None:
    """Refuse a combination that makes no sense, with the reason.

    Args:
        recipe: whose parts these are.
        generator: on the meta device: shapes, but no numbers.
        discriminator: the same.
        objective: as built.

    Raises:
        ValueError: one line that says what does not go with what.
    """
    check_verdict(recipe, discriminator, objective)
    objective.check(discriminator)
    if recipe.engine.compile and objective.differentiates_twice:
        raise ValueError(
            f"objective {recipe.objective.kind!r} differentiates a gradient, which torch.compile "
            "cannot: set engine.compile to false"
        )


def check_verdict(recipe: Recipe, discriminator: nn.Module, objective: Objective) -> None:
    """Compare what the discriminator gives with what the objective needs."""
    gives: Any = discriminator.verdict
    if gives is not objective.verdict:
        raise ValueError(
            f"objective {recipe.objective.kind!r} needs a discriminator that gives a "
            f"{objective.verdict.__name__.lower()}; {recipe.discriminator.kind!r} gives a "
            f"{gives.__name__.lower()}"
        )
