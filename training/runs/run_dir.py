"""Run directories: the record of a run with which it is resumed and reproduced."""

import fcntl
import importlib.metadata
import json
import platform
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from captionfill.output_files import write_atomically
from training.common.errors import PreparedDataError, RunError
from training.common.output_files import write_error
from training.config.config import Config
from training.config.load import apply_overrides, parse_config, to_table
from training.runs.checkpoints.pretrained import InitCheckpoint
from training.runs.code_revision import revision
from training.runs.data_record import DataRecord, read_record, relocate_data

RECORD, LOCK = "run.json", "run.lock"
LIBRARIES = ("torch", "torchvision", "numpy", "sentence-transformers", "safetensors")


@dataclass(frozen=True)
class RunDir:
    """A run directory with its recipe and its data.

    Attributes:
        folder: holds `run.json`, `log.jsonl`, `tensorboard/`, `samples/` and `checkpoints/`.
        recipe: as resolved when the run was started.
        data: folders of prepared data, with their digests.
        changes: overrides of resumes: `[{"step": …, "set": ["run.steps=…"]}]`.
        init_checkpoint: the bundle the generator was initialised from; None for random weights.
        prepared: records of the data at the start, in the order of `data`; empty in runs of older
            versions, see `data_records`.
    """

    folder: Path
    recipe: Config
    data: dict[str, str]
    changes: tuple[dict[str, Any], ...] = ()
    init_checkpoint: InitCheckpoint | None = None
    prepared: tuple[DataRecord, ...] = ()

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints."""
        return self.folder / "checkpoints"

    @property
    def samples(self) -> Path:
        """The folder of sample grids."""
        return self.folder / "samples"

    @classmethod
    def create(
        cls,
        folder: Path,
        recipe: Config,
        data: dict[str, str],
        init_checkpoint: InitCheckpoint | None = None,
        prepared: tuple[DataRecord, ...] = (),
    ) -> "RunDir":
        """Start a run directory.

        Raises:
            RunError: one is there already, or the folder cannot be written.
        """
        cls.check_free(folder)
        run = cls(folder, recipe, data, init_checkpoint=init_checkpoint, prepared=prepared)
        try:
            run.samples.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise write_error(folder, error) from error
        run.write()
        return run

    @staticmethod
    def check_free(folder: Path) -> None:
        """Raise `RunError` if a folder holds a run."""
        if (folder / RECORD).exists():
            raise RunError(f"{folder} holds a run already: resume it, or choose another folder")

    @classmethod
    def open(cls, folder: Path) -> "RunDir":
        """Open a run directory.

        Raises:
            RunError: there is none, or its record cannot be read.
        """
        try:
            record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
            changes = tuple(record.get("changes", ()))
            init_checkpoint = InitCheckpoint(**record["origin"]) if record.get("origin") else None
            prepared = tuple(DataRecord(**one) for one in record.get("prepared", ()))
            recipe = parse_config(record["recipe"])
            return cls(folder, recipe, record["data"], changes, init_checkpoint, prepared)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(f"no run in {folder}: {error}") from error

    def with_overrides(self, step: int, overrides: list[str]) -> "RunDir":
        """Return the run with overrides of its recipe from a step on; nothing is written.

        Raises:
            RecipeError: an override does not fit.
        """
        recipe = parse_config(apply_overrides(to_table(self.recipe), overrides))
        changes = (*self.changes, {"step": step, "set": overrides})
        return replace(self, recipe=recipe, changes=changes)

    def with_data_at(self, places: Sequence[Path]) -> "RunDir":
        """Return the run with the new folders of data that have moved.

        Raises:
            PreparedDataError: a place does not hold data of this run.
        """
        return replace(self, data=relocate_data(self.data, places))

    def with_data_found_in(self, places: Sequence[Path]) -> "RunDir":
        """Return the run; an older version's data are searched in `places` too.

        Raises:
            PreparedDataError: no prepared data in a place.
        """
        if self.prepared:
            return self
        return replace(self, data=relocate_data(self.data, places, all_fit=False))

    def data_records(self) -> tuple[DataRecord, ...]:
        """Return the records of the data that the run was trained on.

        Raises:
            PreparedDataError: the run is of an older version, which recorded digests alone, and the
                data in its folders are gone or are others by now.
        """
        return self.prepared or tuple(read_record(*item) for item in self.data.items())

    def any_data_record(self) -> DataRecord:
        """Return the record of one data folder; all have the same encoder.

        Raises:
            PreparedDataError: the run is of an older version, and none of its data is found.
        """
        for item in self.data.items() if not self.prepared else ():
            with suppress(PreparedDataError):
                return read_record(*item)
        return self.data_records()[0]

    def first_data_folder(self) -> Path:
        """Return the first folder of its data.

        Raises:
            PreparedDataError: it does not hold the data that the run was trained on.
        """
        place, digest = next(iter(self.data.items()))
        read_record(place, digest)
        return Path(place)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the run against other processes; the lock ends with this process.

        Raises:
            RunError: another process is training this run, or the folder cannot be written.
        """
        try:
            opened = (self.folder / LOCK).open("w")
        except OSError as error:
            raise write_error(self.folder, error) from error
        with opened as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise RunError(f"{self.folder} is being trained by another process") from error
            yield

    def write(self) -> None:
        """Write `run.json`: recipe, data digests, code revision and library versions.

        Raises:
            OutputError: it cannot be written.
        """
        record = {
            "recipe": to_table(self.recipe),
            "changes": self.changes,
            "data": self.data,
            "prepared": [asdict(one) for one in self.prepared],
            "origin": asdict(self.init_checkpoint) if self.init_checkpoint else None,
            "revision": revision(),
            "python": platform.python_version(),
            "libraries": {name: importlib.metadata.version(name) for name in LIBRARIES},
        }
        try:
            write_atomically(self.folder / RECORD, json.dumps(record, indent=2) + "\n")
        except OSError as error:
            raise write_error(self.folder / RECORD, error) from error
