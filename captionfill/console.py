"""The console scripts, and the check that no module of a user hides a package of this program.

`models`, `service` and `training` are top-level packages. A `models.py` in a folder that comes
earlier on `sys.path`, such as the current folder, is imported in the place of ours.
"""

import os
import sys
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
_PACKAGES = ("models", "service", "training")


def captionfill() -> None:
    """Run the service, or fill without one."""
    _run("service.cli.main")


def captionfill_train() -> None:
    """Train, evaluate and export."""
    _run("training.cli.main")


def check_packages() -> None:
    """Check that each package of this program that is installed is the one that Python finds.

    Raises:
        ImportError: another module has its name; the message gives its file.
    """
    for name in _PACKAGES:
        ours = _ROOT / name / "__init__.py"
        spec = find_spec(name) if ours.exists() else None
        if spec is not None and spec.origin and Path(spec.origin).resolve() != ours:
            raise ImportError(
                f"{spec.origin} hides the package {name!r} of captionfill: rename it, start "
                "elsewhere, or set PYTHONSAFEPATH=1"
            )


def print_version(wanted: bool) -> None:
    """Print the version and end the process, where the option `--version` was given."""
    if wanted:
        print(f"captionfill {metadata.version('captionfill')}")
        sys.exit(0)


def _run(module: str) -> None:
    # Child processes start with `-m` or `-c`, which put the current folder first on sys.path: a
    # user's service.py or models.py would be imported there.
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        check_packages()
    except ImportError as error:
        sys.exit(f"captionfill: {error}")
    import_module(module).main()
