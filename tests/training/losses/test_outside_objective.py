"""An objective from another package: one file and one recipe, nothing of ours touched."""

from importlib import resources

import pytest

from tests.helpers.training.small_run import SMALL
from training.common.errors import RecipeError
from training.config.load import load_recipe, recipe_text
from training.losses.objectives.base import BaseObjective, register
from training.runs.metric_logger import read_log
from training.trainer.run import start

GUIDE = (resources.files("training.losses.objectives") / "README.md").read_text(encoding="utf-8")
HINGE = GUIDE.split("```python\n")[1].split("```")[0]  # so the guide's own example is what works


@pytest.fixture
def hinge_recipe(tmp_path, monkeypatch):
    """What a user writes: a module, a package's entry point, and a recipe that names it."""
    (tmp_path / "hinge_of_mine.py").write_text(HINGE)
    info = tmp_path / "hinge_of_mine-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hinge-of-mine\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[captionfill.objectives]\nhinge = hinge_of_mine:Hinge\nlost = hinge_of_mine:Nothing\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    path = tmp_path / "inpaint-hinge.toml"
    objective = '[objective]\nkind = "hinge"\nsettings = { margin = 0.5 }\n'
    head, _, rest = recipe_text("inpaint-gan").partition("[objective]")
    path.write_text(head + objective + rest[rest.index("[optimizers]") :])
    return str(path)


def test_an_objective_of_another_package_trains(hinge_recipe, prepared, tmp_path):
    recipe = load_recipe(hinge_recipe, [*SMALL, "run.steps=2"])
    start(recipe, [prepared], tmp_path / "run", lambda step, figures: None)
    last = read_log(tmp_path / "run")[-1]
    assert {"discriminator/real", "discriminator/fake", "generator/adversarial"} <= last.keys()


def test_unknown_objective_error_lists_the_available_ones(hinge_recipe):
    with pytest.raises(RecipeError, match=r"'hing' is none of .*gan.*hinge"):
        load_recipe(hinge_recipe, ["objective.kind=hing"])


def test_objective_that_cannot_be_imported_is_an_error(hinge_recipe):
    with pytest.raises(RecipeError, match=r"'lost' cannot be loaded"):
        load_recipe(hinge_recipe, ["objective.kind=lost"])


def test_two_objectives_of_one_name_are_refused():
    with pytest.raises(ValueError, match="two objectives called 'gan'"):
        register("gan")(BaseObjective)
