"""Recipes are checked when they are loaded."""

import pytest
import torch
from torch import nn

from training.common.errors import RecipeError
from training.config.load import load_recipe, parse_config, recipe_text, to_table
from training.optim.optimizers import AdamConfig, build_optimizer


def test_shipped_recipe_loads_and_round_trips():
    recipe = load_recipe("inpaint-gan")
    assert parse_config(to_table(recipe)) == recipe


def test_value_is_overridden_as_toml_or_text():
    recipe = load_recipe("inpaint-gan", ["run.steps=7", "name=mine", "engine.compile=false"])
    assert (recipe.run.steps, recipe.name, recipe.engine.compile) == (7, "mine", False)


def test_user_recipe_is_read_from_a_path(tmp_path):
    (tmp_path / "mine.toml").write_text(
        'name = "mine"\ndescription = "x"\ngenerator = { kind = "inpaint" }\n'
        'discriminator = { kind = "conv" }\nobjective = { kind = "gan" }\n'
    )
    assert load_recipe(str(tmp_path / "mine.toml")).run.batch_size == 64


def test_run_record_from_before_two_optimizers_still_loads():
    table = to_table(load_recipe("inpaint-gan"))
    del table["optimizers"]["generator"]["kind"]
    assert parse_config(table).optimizers.generator == AdamConfig()


def test_recipe_may_begin_with_byte_order_mark(tmp_path):
    text = recipe_text("inpaint-gan")
    (tmp_path / "mine.toml").write_text("\ufeff" + text, encoding="utf-8")
    assert load_recipe(str(tmp_path / "mine.toml")) == load_recipe("inpaint-gan")


def test_each_player_gets_the_optimizer_its_recipe_names():
    recipe = load_recipe("inpaint-gan", ["optimizers.discriminator={ kind = 'rmsprop' }"])
    players = recipe.optimizers.generator, recipe.optimizers.discriminator
    built = [build_optimizer(nn.Linear(2, 2), settings) for settings in players]
    assert [type(o).__name__ for o in built] == ["Adam", "RMSprop"]
    assert built[1].defaults["lr"] == 5e-5


def test_fused_step_equals_plain_one_but_for_rounding():
    torch.manual_seed(0)
    networks = [nn.Linear(20, 20) for _ in range(2)]
    networks[1].load_state_dict(networks[0].state_dict())
    for network, fused in zip(networks, (False, True), strict=True):
        optimizer = build_optimizer(network, AdamConfig(lr=0.1, fused=fused))
        for _ in range(3):
            optimizer.zero_grad()
            network(torch.ones(2, 20)).square().sum().backward()
            optimizer.step()
        assert bool(optimizer.defaults["fused"]) is fused
    torch.testing.assert_close(networks[1].weight, networks[0].weight)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("run.stepz=7", r"run.stepz.*did you mean steps"),
        ("run.steps=0", r"run.steps.*greater than or equal to 1"),
        ("run.steps=many", r"run.steps.*valid integer"),
        ("objective.settings.l3=1", r"l3"),
        ("objective.settings.l2=-1", r"l2.*greater than or equal to 0"),
        ("objective.kind=ganz", r"'ganz' is none of .*gan"),
        ("generator.settings.widht=8", r"widht"),
        ("dropout.probability=1", r"dropout.probability"),
        ("augment.rotate=2", r"augment.rotate"),
        ("engine.precision=fp8", r"engine.precision"),
        ("optimizers.generator.kind=sgd", r"optimizers.generator.*none of adam, rmsprop"),
        ("optimizers.generator.lr=0", r"optimizers.generator.*lr.*greater than 0"),
        ("optimizers.generator={ kind = 'rmsprop', beta1 = 0.5 }", r"beta1"),
        ("seven", r"expected key=value"),
        ("name.first=x", r"name is not a table"),
    ],
)
def test_bad_value_is_one_line_that_names_it(change, says):
    with pytest.raises(RecipeError, match=says) as caught:
        load_recipe("inpaint-gan", [change])
    assert "\n" not in str(caught.value)


def test_an_unknown_recipe_lists_the_known_ones():
    with pytest.raises(RecipeError, match="inpaint-gan"):
        load_recipe("no-such-recipe")
