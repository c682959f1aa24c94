"""The console scripts `captionfill` and `captionfill-train`."""

import os
import sys
from importlib import import_module

from captionfill.shadowing import check_packages


def captionfill() -> None:
    """Run the service, or fill without one."""
    _run("service.cli.main")


def captionfill_train() -> None:
    """Train, evaluate and export."""
    _run("training.cli")


def _run(module: str) -> None:
    # Child processes start with `-m` or `-c`, which put the current folder first on sys.path: a
    # user's service.py or models.py would be imported there.
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        check_packages()
    except ImportError as error:
        sys.exit(f"captionfill: {error}")
    import_module(module).main()
