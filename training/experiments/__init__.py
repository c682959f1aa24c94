"""Experiments on runs. Each module registers its commands when it is imported here."""

import importlib
import pkgutil

import typer

from training.experiments.registry import EXPERIMENTS, HIDDEN

for _module in pkgutil.walk_packages(__path__, f"{__name__}."):
    importlib.import_module(_module.name)


def app() -> typer.Typer:
    """Return the command line of all experiments, sorted by name."""
    group = typer.Typer(
        help="Analyse runs: every experiment writes a JSON and a PNG beside it.",
        # With a callback, it stays a group even with a single command.
        callback=lambda: None,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    for name in sorted(EXPERIMENTS):
        group.command(name, hidden=name in HIDDEN)(EXPERIMENTS[name])
    return group


__all__ = ["EXPERIMENTS", "app"]
