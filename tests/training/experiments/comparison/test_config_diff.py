import pytest

from training.common.errors import RunError
from training.config.load import load_recipe
from training.experiments.comparison.config_diff import changes_of_runs, recipe_changes
from training.runs.run_dir import RunDir

NAME = "inpaint-began"


@pytest.mark.parametrize(
    ("setting", "key", "change"),
    [
        ("generator.settings.batch_norm=true", None, (False, True)),
        ("generator.settings.activation=relu", None, ("elu", "relu")),
        ("generator.settings.output=tanh", None, ("clip", "tanh")),
        ("discriminator.settings.code=512", None, (32, 512)),
        ("objective.settings.l2=0", None, (1.0, 0.0)),
        ("run.seed=1", None, (0, 1)),
    ],
)
def test_ablation_is_named_by_key_and_both_values(setting, key, change):
    found = recipe_changes(load_recipe(NAME), load_recipe(NAME, [setting]))
    assert found == {setting.partition("=")[0]: change}


def test_explicit_default_is_no_change():
    written = load_recipe(NAME, ["generator.settings.output=clip", "objective.settings.gamma=0.5"])
    assert recipe_changes(load_recipe(NAME), written) == {}


def test_length_engine_and_name_make_no_other_system():
    other = load_recipe(NAME, ["run.steps=7", "engine.threads=1", "name=other", "keep.every=9"])
    assert recipe_changes(load_recipe(NAME), other) == {}


def runs(folder, data, *overrides):
    return [
        RunDir.create(folder / str(i), load_recipe(NAME, [one] if one else []), {data[i]: data[i]})
        for i, one in enumerate(overrides)
    ]


def test_a_run_whose_recipe_changes_nothing_is_refused(tmp_path):
    with pytest.raises(RunError, match="1: its recipe changes nothing"):
        changes_of_runs(runs(tmp_path, "aa", "", ""))


def test_a_run_on_other_data_is_refused(tmp_path):
    with pytest.raises(RunError, match="1 was trained on other data than 0"):
        changes_of_runs(runs(tmp_path, "ab", "", "run.seed=1"))


def test_what_each_run_changed_is_said(tmp_path, capsys):
    changes_of_runs(runs(tmp_path, "aa", "", "generator.settings.output=tanh"))
    assert "1: generator.settings.output: clip → tanh" in capsys.readouterr().err
