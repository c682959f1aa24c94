"""What a wheel carries, and that it works where it is installed."""

import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.helpers.ports import free_port
from training.runs.checkpoints.training_state import TRAINING_STATE

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("captionfill", "models", "service", "training")
HOSTILE = 'raise SystemExit("a module of the user was imported")\n'
SHORT = [
    "run.steps=2",
    "run.batch_size=4",
    "loading.workers=2",
    "generator.settings={ width = 8, decoder_width = 8 }",
    "discriminator.settings={ width = 8 }",
]


def data_files():
    """Every file of the packages that is not Python, but for pages for readers of the source.

    Nor are training states packed: `train --from` alone reads them, in a clone.
    """
    return {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file()
        and path.suffix not in (".py", ".pyc", ".md")
        and path.name != TRAINING_STATE
    }


def test_every_data_file_of_a_package_is_packed():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = project["tool"]["setuptools"]["package-data"]
    packed = {
        path.relative_to(ROOT).as_posix()
        for package, globs in patterns.items()
        for glob in globs
        for path in (ROOT / package).glob(glob)
    }
    assert data_files() <= packed, data_files() - packed


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    """A folder with the wheel and the source distribution, built from a copy of the packages."""
    copy = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, copy / package, ignore=ignored)
    command = [sys.executable, "-m", "build", "--no-isolation", str(copy)]
    subprocess.run(command, check=True, capture_output=True)
    return copy / "dist"


@pytest.fixture(scope="module")
def scripts(dist, tmp_path_factory):
    """The scripts of an environment with the wheel; other packages are those of this one."""
    place = tmp_path_factory.mktemp("venv")
    venv.create(place, symlinks=True)
    [packages] = place.glob("lib/python*/site-packages")
    others = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    # Their own .pth files are not read, so that an editable install of a checkout is not found.
    (packages / "others.pth").write_text("\n".join(others) + "\n")
    [wheel] = dist.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "--python", str(place / "bin" / "python")]
    install = ["install", "--quiet", "--no-index", "--no-deps", "--ignore-installed", str(wheel)]
    subprocess.run([*pip, *install], check=True)
    return place / "bin"


@pytest.fixture
def folder(tmp_path):
    """A folder of a user, with modules of the names of our packages."""
    for name in ("models", "service", "training"):
        (tmp_path / f"{name}.py").write_text(HOSTILE)
    pixels = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return tmp_path


def environment(**more):
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONPATH", "PYTHONSAFEPATH", "REDIS_URL")
    }
    return {**kept, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", **more}


def run(folder, *command):
    done = subprocess.run(
        [*map(str, command)],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_distributions_hold_every_data_file(dist):
    [wheel], [source] = dist.glob("*.whl"), dist.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        assert data_files() <= set(archive.namelist())
    with tarfile.open(source) as archive:
        assert data_files() <= {name.partition("/")[2] for name in archive.getnames()}


@pytest.mark.slow
def test_the_installed_packages_are_the_wheels(scripts, tmp_path):
    code = "import captionfill, models, service, training as t; print(captionfill.__file__)"
    found = run(tmp_path, scripts / "python", "-c", code).strip()
    assert Path(found).is_relative_to(scripts.parent)


@pytest.mark.slow
def test_an_installed_wheel_fills_anywhere(scripts, folder):
    run(folder, scripts / "captionfill", "fill", "photo.png", "a cat", "-o", "filled.png")
    assert Image.open(folder / "filled.png").size == (120, 90)


@pytest.mark.slow
@pytest.mark.server
def test_an_installed_wheel_serves_anywhere(scripts, folder):
    with subprocess.Popen(
        [str(scripts / "captionfill"), "serve"],
        cwd=folder,
        env=environment(PORT=str(port := free_port())),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout.readline().startswith("ready on ")
            answer = httpx.post(
                f"http://127.0.0.1:{port}/inpaint",
                files={"image": (folder / "photo.png").read_bytes()},
                data={"caption": "a cat"},
                timeout=60,
            )
        finally:
            process.send_signal(signal.SIGINT)
    assert answer.status_code == 200 and process.returncode == 0


@pytest.mark.slow
def test_an_installed_wheel_trains_anywhere(scripts, folder, tiny_folder):
    train = scripts / "captionfill-train"
    run(folder, train, "prepare", "folder", tiny_folder, "data")
    changes = [part for change in SHORT for part in ("--set", change)]
    run(folder, train, "train", "inpaint-gan", "--data", "data", "--run", "run", *changes)
    run(folder, train, "export", "run", "bundle")
    assert (folder / "bundle" / "generator.safetensors").is_file()


def test_a_folder_of_our_name_hides_nothing(tmp_path):
    (tmp_path / "captionfill").mkdir()  # as a clone lies beside a user's script
    (tmp_path / "script.py").write_text("from captionfill import Inpainter; print(Inpainter)")
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "Inpainter" in done.stdout, done.stderr
