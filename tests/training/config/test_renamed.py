"""Recipes of earlier versions: renamed settings are read, removed ones are one clear error."""

import pytest

from training.common.errors import RecipeError
from training.config.load import load_recipe


def test_old_names_of_settings_are_read():
    old = ["objective.settings={ swap = 0.3, redrawn = 0.5, ahead = 7, untold = 0.0, caption = 0 }"]
    old.append("discriminator.settings.meaning=false")
    recipe = load_recipe("flagship", old)
    settings = recipe.build_objective().settings
    assert (settings.mismatched_caption_prob, settings.resample_fraction) == (0.3, 0.5)
    assert settings.discriminator_warmup == 7
    assert recipe.discriminator.settings["caption_head"] is False


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("generator.kind=unet-concat", "generator.kind 'unet-concat' was removed"),
        ("discriminator.kind=projected-pixels", "'projected-pixels' was removed"),
        ("objective.kind=steered-relativistic", "'steered-relativistic' was removed"),
        ("objective.settings.untold=0.15", "objective.settings.untold was removed"),
    ],
)
def test_removed_component_or_setting_is_refused(change, reason):
    with pytest.raises(RecipeError, match=reason):
        load_recipe("flagship", [change])
