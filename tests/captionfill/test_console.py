import os
import subprocess
import sys

import pytest


def run_in(folder, code):
    """Run code with a folder's modules first on the path, as in a notebook there."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONSAFEPATH"}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", ["models", "service", "training"])
@pytest.mark.parametrize("script", ["captionfill", "captionfill_train"])
def test_a_hiding_module_is_named(tmp_path, name, script):
    (tmp_path / f"{name}.py").write_text("raise RuntimeError")
    done = run_in(tmp_path, f"from captionfill.console import {script}; {script}()")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert f"{name}.py hides the package '{name}' of captionfill" in done.stderr


def test_the_library_names_a_hiding_module(tmp_path):
    (tmp_path / "models.py").write_text("raise RuntimeError")
    done = run_in(tmp_path, "from captionfill import Inpainter")
    assert "models.py hides the package 'models' of captionfill" in done.stderr


def test_a_folder_without_python_hides_nothing(tmp_path):
    (tmp_path / "models").mkdir()
    assert (
        run_in(tmp_path, "from captionfill.console import check_packages; check_packages()").stderr
        == ""
    )
