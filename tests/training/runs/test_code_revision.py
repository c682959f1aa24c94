"""The revision that a run records is the project's own."""

import subprocess
from importlib.metadata import PackageNotFoundError

import pytest

from training.data.manifest import tool_version
from training.runs import code_revision as module
from training.runs.code_revision import checkout_commit, installed_commit, revision


def git(folder, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    command = ["git", *identity, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


@pytest.fixture(autouse=True)
def outside_hooks(monkeypatch):
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def checkout(tmp_path):
    """A repository with `training/code.py` committed, and its commit."""
    code = tmp_path / "project" / "training" / "code.py"
    code.parent.mkdir(parents=True)
    code.write_text("1\n")
    git(code.parents[1], "init", "-q")
    git(code.parents[1], "add", ".")
    git(code.parents[1], "commit", "-qm", "Start")
    return code, git(code.parents[1], "rev-parse", "HEAD").strip()


def test_a_checkout_gives_its_commit(checkout):
    code, commit = checkout
    assert revision(code) == commit
    code.write_text("2\n")
    assert revision(code) == f"{commit}+changes"


def test_a_repository_around_an_installed_package_is_ignored(checkout):
    code, _ = checkout
    site = code.parents[1] / ".venv" / "site-packages" / "training"
    site.mkdir(parents=True)
    (site / "code.py").write_text("")
    assert checkout_commit(site / "code.py") is None


def test_repository_that_does_not_track_code_is_ignored(checkout):
    code, _ = checkout
    code.with_name("other.py").write_text("")
    assert checkout_commit(code.with_name("other.py")) is None


def test_working_folder_and_git_variables_do_not_matter(checkout, tmp_path, monkeypatch):
    code, commit = checkout
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    git(elsewhere, "init", "-q")
    git(elsewhere, "commit", "-qm", "Other", "--allow-empty")
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("GIT_DIR", str(elsewhere / ".git"))
    assert checkout_commit(code) == commit


class Installed:
    def __init__(self, text):
        self.text = text

    def read_text(self, name):
        assert name == "direct_url.json"
        return self.text


@pytest.mark.parametrize(
    ("text", "commit"),
    [
        ('{"url": "https://x", "vcs_info": {"vcs": "git", "commit_id": "c0ffee"}}', "c0ffee"),
        ('{"url": "file:///x", "dir_info": {"editable": true}}', None),
        (None, None),
    ],
)
def test_an_installed_package_gives_the_recorded_commit(monkeypatch, tmp_path, text, commit):
    monkeypatch.setattr(module, "distribution", lambda name: Installed(text))
    assert installed_commit() == commit
    place = tmp_path / "site-packages" / "training" / "code.py"
    assert revision(place) == (commit or tool_version())


def test_code_that_is_not_installed_has_a_version(monkeypatch, tmp_path):
    def none(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(module, "distribution", none)
    assert installed_commit() is None
