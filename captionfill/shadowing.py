"""Detect modules of a user that hide packages of this program.

`models`, `service` and `training` are top-level packages. A `models.py` in a folder that comes
earlier on `sys.path`, such as the current folder, is imported in the place of ours.
"""

from importlib.util import find_spec
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
_PACKAGES = ("models", "service", "training")


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
