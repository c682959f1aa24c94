"""Run directories: what a run writes down about itself so that it can be resumed and believed."""

import fcntl
import importlib.metadata
import json
import platform
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from training.errors import RunError
from training.origin import Origin
from training.recipe import Recipe, as_table, override, parse_recipe

RECORD, LOCK = "run.json", "run.lock"
LIBRARIES = ("torch", "torchvision", "numpy", "sentence-transformers", "safetensors")


@dataclass(frozen=True)
class RunDir:
    """A run directory with its recipe and the data it was started on.

    Attributes:
        folder: holds `run.json`, `log.jsonl`, `tensorboard/`, `samples/` and `checkpoints/`.
        recipe: as resolved when the run was started.
        data: folders of prepared data, with their digests.
        changes: what was overridden later: `[{"step": …, "set": ["run.steps=…"]}]`.
        origin: the bundle that it began with (`training.origin`); None where it began at random.
    """

    folder: Path
    recipe: Recipe
    data: dict[str, str]
    changes: tuple[dict[str, Any], ...] = ()
    origin: Origin | None = None

    @property
    def checkpoints(self) -> Path:
        """Where checkpoints are."""
        return self.folder / "checkpoints"

    @property
    def samples(self) -> Path:
        """Where sample grids are."""
        return self.folder / "samples"

    @classmethod
    def create(
        cls,
        folder: Path,
        recipe: Recipe,
        data: dict[str, str],
        origin: Origin | None = None,
    ) -> "RunDir":
        """Start a run directory.

        Raises:
            RunError: one is there already.
        """
        if (folder / RECORD).exists():
            raise RunError(f"{folder} holds a run already: resume it, or choose another folder")
        run = cls(folder, recipe, data, origin=origin)
        run.samples.mkdir(parents=True, exist_ok=True)
        run.write()
        return run

    @classmethod
    def open(cls, folder: Path) -> "RunDir":
        """Open a run directory.

        Raises:
            RunError: there is none, or its record cannot be read.
        """
        try:
            record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
            changes = tuple(record.get("changes", ()))
            origin = Origin(**record["origin"]) if record.get("origin") else None
            return cls(folder, parse_recipe(record["recipe"]), record["data"], changes, origin)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(f"no run in {folder}: {error}") from error

    def overridden(self, step: int, overrides: list[str]) -> "RunDir":
        """Return the run with its recipe overridden from a step on; nothing is written.

        Raises:
            RecipeError: an override does not fit.
        """
        recipe = parse_recipe(override(as_table(self.recipe), overrides))
        changes = (*self.changes, {"step": step, "set": overrides})
        return replace(self, recipe=recipe, changes=changes)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep a second process out while this one trains; the lock goes with the process.

        Raises:
            RunError: another process is training this run.
        """
        with (self.folder / LOCK).open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise RunError(f"{self.folder} is being trained by another process") from error
            yield

    def write(self) -> None:
        """Write `run.json`: recipe, data digests, code revision and library versions."""
        record = {
            "recipe": as_table(self.recipe),
            "changes": self.changes,
            "data": self.data,
            "origin": asdict(self.origin) if self.origin else None,
            **environment(),
        }
        text = json.dumps(record, indent=2) + "\n"
        (self.folder / RECORD).write_text(text, encoding="utf-8")


def environment() -> dict[str, Any]:
    """Return the code revision and the versions of what the figures depend on."""
    versions = {name: importlib.metadata.version(name) for name in LIBRARIES}
    return {"revision": revision(), "python": platform.python_version(), "libraries": versions}


def revision() -> str:
    """Return the checkout's commit, with `+changes` where files differ; `unknown` without git."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--dirty=+changes"],  # noqa: S607
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return described.stdout.strip()
