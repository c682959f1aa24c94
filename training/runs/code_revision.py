"""The commit or version of the code that trains a run."""

import json
import os
import subprocess
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import training
from training.data.manifest import tool_version

PACKAGE = "captionfill"


def revision(module: Path = Path(training.__file__)) -> str:
    """Return the commit of this code, or its version where no commit is known.

    Of a checkout, the commit of `module`'s top package, with `+changes` where files differ; of an
    installed package, the commit that pip recorded (PEP 610), else the version.
    """
    return checkout_commit(module) or installed_commit() or tool_version()


def checkout_commit(module: Path) -> str | None:
    """Return the commit of the checkout that `module` belongs to; None where it is in none.

    A repository that merely lies around an installed package does not track its files.
    """
    root = module.resolve().parents[1]
    described = git(root, "describe", "--always", "--abbrev=40", "--dirty=+changes")
    top = git(root, "rev-parse", "--show-toplevel")
    if not described or not top or Path(top).resolve() != root:
        return None
    tracked = git(root, "ls-files", "--", str(module.resolve().relative_to(root)))
    return described if tracked else None


def git(folder: Path, *arguments: str) -> str | None:
    """Run git in a folder; None where it fails or is not there.

    Variables such as `GIT_DIR`, which hooks set, would make it read another repository.
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    command = ["git", *arguments]
    try:
        text = subprocess.check_output(  # noqa: S603
            command, cwd=folder, env=environment, stderr=subprocess.DEVNULL, text=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return text.strip()


def installed_commit() -> str | None:
    """Return the commit that pip installed the package from; None where it recorded none."""
    try:
        text = distribution(PACKAGE).read_text("direct_url.json")
        commit = json.loads(text or "{}").get("vcs_info", {}).get("commit_id")
    except (PackageNotFoundError, ValueError):
        return None
    return str(commit) if commit else None
