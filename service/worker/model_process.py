"""The networks in a process of their own, so that a worker sees what its model dies of.

A worker that shared a process with its model would die with it, and nobody could tell which job
was to blame, nor tell it from a machine that was switched off. Apart, the worker lives to see the
death, to start another process, and to try each job alone. It also keeps leases alive while the
model computes, ends one that hangs, and loads new bundles beside the old.
"""

import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

from captionfill.device_errors import is_device_error
from captionfill.errors import StartError
from service.observability.logs import describe, set_up_logs
from service.queue.task import InferenceResult, InferenceTask
from service.worker.ipc import (
    DeviceFailure,
    pack,
    pack_device_failure,
    pack_results,
    pack_tasks,
    unpack,
    unpack_results,
    unpack_tasks,
)

log = logging.getLogger("captionfill.worker")

_LOAD_SECONDS = 300.0
_CLOSE_SECONDS = 5.0


class ModelCrashedError(Exception):
    """The model's process ended, or was ended, in the middle of work."""


class DeviceError(ModelCrashedError):
    """The model's process ended since its device failed: no other work could have been done."""


class Fills(Protocol):
    """What the process is to hold: a model that does not die."""

    models: dict[str, str]
    engines: dict[str, str]
    default: str

    def predict(self, tasks: Sequence[InferenceTask]) -> list[InferenceResult | Exception]:
        """Fill every piece of work, or say why not."""


class ModelProcess:
    """Bundles loaded in a child process.

    Attributes:
        module: what the process runs.
        models: digest of each bundle by its name.
        engines: what computes each bundle, by its name.
        default: name of the bundle for work that names none.
    """

    module = "service.worker.model_process"

    def __init__(
        self,
        folders: Sequence[Path],
        device: str,
        seconds: float,
        engine: str = "auto",
        threads: int = 1,
    ) -> None:
        """Start the process and wait until its bundles are loaded.

        Args:
            folders: of the bundles; the first is the default.
            device: torch device.
            seconds: a batch that takes longer is taken for hung.
            engine: as the setting of that name.
            threads: as the setting of that name.

        Raises:
            StartError: a bundle cannot be used.
        """
        self._seconds = seconds
        self._start([device, engine, str(threads), *map(str, folders)])

    def predict(self, tasks: Sequence[InferenceTask]) -> list[InferenceResult | Exception]:
        """Fill every piece of work.

        Raises:
            ModelDeathError: with the manner of its death.
            DeviceError: it ended since its device failed.
        """
        try:
            self._connection.send_bytes(pack_tasks(tasks))
            if not self._connection.poll(self._seconds):
                self._process.kill()
                self._process.wait()
                raise ModelCrashedError(f"the model took over {self._seconds:g} s")
            return unpack_results(self._connection.recv_bytes())
        except DeviceFailure as failure:
            self.close()
            raise DeviceError(str(failure)) from failure
        except (OSError, EOFError) as error:
            raise ModelCrashedError(self._manner_of_death()) from error

    def close(self) -> None:
        """End the process, which does nothing at this moment."""
        self._connection.close()
        try:
            self._process.wait(_CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _start(self, arguments: Sequence[str]) -> None:
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-m", self.module, str(theirs.fileno()), *arguments]
        with theirs:
            # Not the terminal's Ctrl-C but the end of the connection ends it, after its batch.
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                command,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._connection = Connection(ours.detach())
        head = self._first_words()
        if "error" in head:
            self.close()
            raise StartError(head["error"])
        self.models: dict[str, str] = head["models"]
        self.engines: dict[str, str] = head["engines"]
        self.default: str = head["default"]
        log.info("bundles loaded", extra={"models": self.models, "engines": self.engines})

    def _first_words(self) -> dict[str, Any]:
        try:
            if not self._connection.poll(_LOAD_SECONDS):
                self._process.kill()
                return {"error": f"the bundles were not loaded in {_LOAD_SECONDS:g} s"}
            head: dict[str, Any] = unpack(self._connection.recv_bytes())[0]
        except (OSError, EOFError):
            return {
                "error": f"the model did not start: {self._manner_of_death()}; "
                "CAPTIONFILL_ENGINE=torch does without OpenVINO"
            }
        return head

    def _manner_of_death(self) -> str:
        try:
            status = self._process.wait(_CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        if status < 0:
            return f"its process was ended by signal {-status}"
        return f"its process ended with status {status}"


def answer(descriptor: int, load: Callable[[], Fills]) -> None:
    """Load a model, then fill whatever comes until the other side hangs up."""
    # A worker that is told to stop finishes its batch, and needs its model for it.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    with Connection(descriptor) as connection:
        try:
            model = load()
        except StartError as error:
            connection.send_bytes(pack({"error": str(error)}))
            return
        head = {"models": model.models, "engines": model.engines, "default": model.default}
        connection.send_bytes(pack(head))
        while True:
            try:
                tasks = unpack_tasks(connection.recv_bytes())
                connection.send_bytes(pack_results(_predict(model, tasks)))
            except DeviceFailure as failure:
                connection.send_bytes(pack_device_failure(str(failure)))
                return
            except (EOFError, OSError):  # the worker is gone
                return


def _predict(model: Fills, tasks: Sequence[InferenceTask]) -> list[InferenceResult | Exception]:
    """Fill every piece of work; an error of the device is no answer to any of them.

    Raises:
        DeviceFailure: the device failed; the process can compute nothing any more.
    """
    try:
        fills = model.predict(tasks)
    except Exception as error:
        if is_device_error(error):
            raise DeviceFailure(describe(error)) from error
        raise
    for fill in fills:
        if isinstance(fill, Exception) and is_device_error(fill):
            raise DeviceFailure(describe(fill))
    return fills


def main(descriptor: int, device: str, engine: str, threads: int, folders: Sequence[str]) -> None:
    """Hold bundles."""
    set_up_logs()
    # Imported here: the worker's own process, which reads this module too, does without torch.
    from service.worker.predictor import Predictor  # noqa: PLC0415

    places = [Path(folder) for folder in folders]
    answer(descriptor, lambda: Predictor.load(places, device, engine, threads))
    # Nothing is left to write, and the worker waits: taking torch apart would cost two seconds.
    logging.shutdown()
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5:])
