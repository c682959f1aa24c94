"""Combinations that make no sense are refused when the recipe is loaded, with the reason."""

import pytest

from training.common.errors import RecipeError
from training.config.load import load_recipe


@pytest.mark.parametrize(
    ("recipe", "changes", "reason"),
    [
        ("dcgan", ["objective.settings.mismatch=0.5"], "needs a discriminator that reads captions"),
        ("dcgan", ["augment.rotate=0.1"], "rotate rotates the hole"),
        (
            "dcgan",
            ["discriminator={ kind = 'context-encoder' }"],
            "output of 'context-encoder' is PatchLogits",
        ),
        (
            "context-encoder",
            ["discriminator={ kind = 'dcgan' }"],
            "needs a discriminator with output PatchLogits",
        ),
        ("context-encoder", ["picture.hole=all"], r"makes 32×32 pixels.*\(all\) has 64×64"),
        ("dcgan", ["picture.hole=centre"], r"makes 64×64 pixels.*\(centre\) has 32×32"),
        ("dcgan", ["picture.size=32", "picture.view=centre"], "makes 64×64 pixels.*has 32×32"),
        ("dcgan", ["discriminator.settings.size=32"], "discriminator is not made for 64×64"),
        ("dcgan", ["discriminator.settings.size=128"], "discriminator takes no 64×64"),
        ("dcgan", ["generator.settings.noise=pink"], "none of normal, uniform"),
        (
            "dcgan",
            ["objective={ kind = 'began' }"],
            "needs a discriminator with output Reconstruction",
        ),
        (
            "began",
            ["objective={ kind = 'wgan-clip' }"],
            "output Logits; the output of 'autoencoder' is",
        ),
        ("wgan-gp", ["optimizers.plateau={}"], "objective 'wgan-gp' has none"),
        ("began", ["generator.settings.width=256"], "width 256 is not 1 to 128"),
        ("began", ["discriminator.settings.encoder=squeeze"], "takes no 32×32"),
        ("inpaint-gan", ["picture.size=128"], "centre needs size 64"),
        ("inpaint-gan", ["generator.kind=dcgan", "generator.settings={}"], "makes 64×64 pixels"),
    ],
)
def test_invalid_combination_is_refused_with_the_reason(recipe, changes, reason):
    with pytest.raises(RecipeError, match=reason):
        load_recipe(recipe, changes)


def test_networks_are_exchanged_where_that_makes_sense():
    changes = ["picture.size=32", "picture.view=shrink", "generator.settings.size=32"]
    load_recipe("dcgan", [*changes, "discriminator.settings.size=32"])
    load_recipe(
        "inpaint-gan", ["discriminator={ kind = 'dcgan' }", "objective.settings.mismatch=0"]
    )
