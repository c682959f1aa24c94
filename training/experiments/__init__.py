"""Experiments on runs: one small file each, found by itself, a command of its own name."""

import importlib
import pkgutil

import typer

from training.experiments.registry import EXPERIMENTS

for _module in pkgutil.walk_packages(__path__, f"{__name__}."):
    importlib.import_module(_module.name)


def app() -> typer.Typer:
    """Return the command line of all experiments, in the order of their names."""
    group = typer.Typer(
        help="Look into runs: every experiment leaves a JSON and a PNG beside it.",
        # A callback keeps it a group even of a single command.
        callback=lambda: None,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    for name in sorted(EXPERIMENTS):
        group.command(name)(EXPERIMENTS[name])
    return group


__all__ = ["EXPERIMENTS", "app"]
