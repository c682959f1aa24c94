"""The model in a child process, so that the worker survives its crashes.

After a crash the worker starts another process and tries each task alone, to find the one that
crashes the model. It can renew leases during inference, end a process that hangs, and load new
bundles beside the old ones.
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
from service.observability import describe, set_up_logs
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
    """The model process ended, or was ended, during inference."""


class DeviceError(ModelCrashedError):
    """The model process ended because its device failed; any other task would have failed too."""


class LoadedModel(Protocol):
    """Loaded bundles.

    Attributes:
        models: digest of each bundle by its name.
        engines: name of each bundle's engine by the bundle's name.
        default: name of the bundle for tasks that name none.
    """

    models: dict[str, str]
    engines: dict[str, str]
    default: str

    def predict(self, tasks: Sequence[InferenceTask]) -> list[InferenceResult | Exception]:
        """Return the result or the exception of each task.

        Raises:
            ModelCrashedError: the model crashed.
        """


class ModelProcess:
    """A `LoadedModel` in a child process.

    Attributes:
        module: name of the module that the process runs.
    """

    module = "service.worker.model_process"

    def __init__(
        self,
        folders: Sequence[Path],
        device: str,
        timeout: float,
        engine: str = "auto",
        threads: int = 1,
    ) -> None:
        """Start the process and wait until its bundles are loaded.

        Args:
            folders: of the bundles; the first is the default.
            device: torch device.
            timeout: a batch that takes longer [s] counts as hung.
            engine: the setting of that name.
            threads: the setting of that name.

        Raises:
            StartError: a bundle cannot be used.
        """
        self._timeout = timeout
        self._start([device, engine, str(threads), *map(str, folders)])

    def predict(self, tasks: Sequence[InferenceTask]) -> list[InferenceResult | Exception]:
        """Run inference in the process.

        Raises:
            ModelCrashedError: it ended, or took too long.
            DeviceError: it ended because its device failed.
        """
        try:
            self._connection.send_bytes(pack_tasks(tasks))
            if not self._connection.poll(self._timeout):
                self._process.kill()
                self._process.wait()
                raise ModelCrashedError(f"inference took over {self._timeout:g} s")
            return unpack_results(self._connection.recv_bytes())
        except DeviceFailure as failure:
            self.close()
            raise DeviceError(str(failure)) from failure
        except (OSError, EOFError) as error:
            raise ModelCrashedError(self._exit_reason()) from error

    def close(self) -> None:
        """End the process, which is idle."""
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
            # A session of its own: Ctrl-C does not reach it. The end of the connection ends it.
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                command,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._connection = Connection(ours.detach())
        head = self._read_handshake()
        if "error" in head:
            self.close()
            raise StartError(head["error"])
        self.models: dict[str, str] = head["models"]
        self.engines: dict[str, str] = head["engines"]
        self.default: str = head["default"]
        log.info("bundles loaded", extra={"models": self.models, "engines": self.engines})

    def _read_handshake(self) -> dict[str, Any]:
        try:
            if not self._connection.poll(_LOAD_SECONDS):
                self._process.kill()
                return {"error": f"the bundles were not loaded in {_LOAD_SECONDS:g} s"}
            head: dict[str, Any] = unpack(self._connection.recv_bytes())[0]
        except (OSError, EOFError):
            return {
                "error": f"the model did not start: {self._exit_reason()}; "
                "CAPTIONFILL_ENGINE=torch does without OpenVINO"
            }
        return head

    def _exit_reason(self) -> str:
        try:
            status = self._process.wait(_CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        if status < 0:
            return f"its process was ended by signal {-status}"
        return f"its process ended with status {status}"


def serve(descriptor: int, load: Callable[[], LoadedModel]) -> None:
    """Load a model, and answer requests until the worker closes the connection."""
    # A worker that is stopped finishes its batch, and needs the model for it.
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


def _predict(
    model: LoadedModel, tasks: Sequence[InferenceTask]
) -> list[InferenceResult | Exception]:
    """Run inference; a device error is raised, not returned as the failure of a task.

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
    """Load bundles and serve them."""
    set_up_logs()
    # Imported here, because the worker's own process imports this module without torch.
    from service.worker.predictor import Predictor  # noqa: PLC0415

    places = [Path(folder) for folder in folders]
    serve(descriptor, lambda: Predictor.load(places, device, engine, threads))
    # Skip the destructors of torch, which take two seconds.
    logging.shutdown()
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5:])
