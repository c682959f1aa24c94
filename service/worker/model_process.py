"""The model in a child process, so that the worker survives its crashes.

After a crash the worker starts another process and tries each task alone, to find the one that
crashes the model. It can renew leases during inference, end a process that hangs, and load new
bundles beside the old ones. Messages are JSON, followed by raw bytes; never pickle.
"""

import json
import logging
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

from captionfill.device_errors import is_device_error
from captionfill.errors import StartError
from service.observability import describe
from service.queue.task import InferenceResult, InferenceTask, OutOfMemory

log = logging.getLogger("captionfill.worker")

_LOAD_SECONDS = 300.0
_CLOSE_SECONDS = 5.0


class TaskError(Exception):
    """A task failed in the model process; the reason is for the log."""


class ModelCrashedError(Exception):
    """The model process ended, or was ended, during inference."""


class DeviceError(ModelCrashedError):
    """The model process ended because its device failed; any other task would have failed too."""


class LoadedModel(Protocol):
    """Loaded bundles: digests and engines by their names, and the name of the default."""

    models: dict[str, str]
    engines: dict[str, str]
    default: str

    def predict(self, tasks: Sequence[InferenceTask]) -> list[InferenceResult | Exception]:
        """Return the result or the exception of each task."""


class ModelProcess:
    """A `LoadedModel` in a child process that runs a module."""

    module = "service.worker.predictor"

    def __init__(
        self,
        places: Sequence[Path | str],
        device: str,
        timeout: float,
        engine: str = "auto",
        threads: int = 1,
    ) -> None:
        """Start the process and wait until its bundles are loaded; the first is the default.

        A batch that takes longer than ``timeout`` [s] counts as hung.

        Raises:
            StartError: a bundle cannot be used.
        """
        self._timeout = timeout
        self._start([device, engine, str(threads), *map(str, places)])

    def predict(self, tasks: Sequence[InferenceTask]) -> list[InferenceResult | Exception]:
        """Run inference in the process.

        Raises:
            ModelCrashedError: it ended, or took too long.
            DeviceError: it ended because its device failed.
        """
        try:
            send_tasks(self._connection, tasks)
            if not self._connection.poll(self._timeout):
                self._process.kill()
                self._process.wait()
                raise ModelCrashedError(f"inference took over {self._timeout:g} s")
            return receive_results(self._connection)
        except DeviceError:
            self.close()
            raise
        except (OSError, EOFError) as error:
            raise ModelCrashedError(self._exit_reason()) from error

    def close(self) -> None:
        """End the process, which is idle."""
        self._connection.close()
        self._wait()

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
            head: dict[str, Any] = json.loads(self._connection.recv_bytes())
        except (OSError, EOFError):
            return {
                "error": f"the model did not start: {self._exit_reason()}; "
                "CAPTIONFILL_ENGINE=torch does without OpenVINO"
            }
        return head

    def _exit_reason(self) -> str:
        status = self._wait()
        if status < 0:
            return f"its process was ended by signal {-status}"
        return f"its process ended with status {status}"

    def _wait(self) -> int:
        """Wait for the process to end, and kill it if it does not."""
        try:
            return self._process.wait(_CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


def send_tasks(connection: Connection, tasks: Sequence[InferenceTask]) -> None:
    """Send a JSON list of all fields but the windows, then each window."""
    heads = [{**asdict(task), "window": None} for task in tasks]
    _send(connection, heads, [task.window for task in tasks])


def receive_tasks(connection: Connection) -> list[InferenceTask]:
    """Receive what `send_tasks` sends."""
    heads = json.loads(connection.recv_bytes())
    return [InferenceTask(**{**head, "window": connection.recv_bytes()}) for head in heads]


def send_results(connection: Connection, fills: Sequence[InferenceResult | Exception]) -> None:
    """Send a JSON list of facts and errors, then the images of each result."""
    heads: list[dict[str, Any]] = []
    blobs: list[bytes] = []
    for fill in fills:
        if isinstance(fill, InferenceResult):
            heads.append(fill.facts)
            blobs += [fill.fills, fill.others]
        else:
            is_memory = isinstance(fill, OutOfMemory)
            heads.append({"error": f"{type(fill).__name__}: {fill}", "memory": is_memory})
    _send(connection, heads, blobs)


def receive_results(connection: Connection) -> list[InferenceResult | Exception]:
    """Receive what `send_results` sends; exceptions become `TaskError` or `OutOfMemory`.

    Raises:
        DeviceError: the process reports one in place of results.
    """
    heads = json.loads(connection.recv_bytes())
    if isinstance(heads, dict):
        raise DeviceError(heads["device"])
    return [_receive_result(connection, **head) for head in heads]


def _receive_result(
    connection: Connection, error: str | None = None, *, memory: bool = False, **facts: Any
) -> InferenceResult | Exception:
    if error is not None:
        return OutOfMemory(error) if memory else TaskError(error)
    fills, others = connection.recv_bytes(), connection.recv_bytes()
    return InferenceResult(fills, others=others, **facts)


def _send(connection: Connection, head: Any, blobs: Sequence[bytes] = ()) -> None:
    connection.send_bytes(json.dumps(head).encode())
    for blob in blobs:
        connection.send_bytes(blob)


def serve(descriptor: int, load: Callable[[], LoadedModel]) -> None:
    """Load a model, and answer requests until the worker closes the connection."""
    # A worker that is stopped finishes its batch, and needs the model for it.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    with Connection(descriptor) as connection:
        try:
            model = load()
        except StartError as error:
            _send(connection, {"error": str(error)})
            return
        names = ("models", "engines", "default")
        _send(connection, {name: getattr(model, name) for name in names})
        while True:
            try:
                send_results(connection, _predict(model, receive_tasks(connection)))
            except DeviceError as failure:
                _send(connection, {"device": str(failure)})
                return
            except (EOFError, OSError):  # the worker is gone
                return


def _predict(
    model: LoadedModel, tasks: Sequence[InferenceTask]
) -> list[InferenceResult | Exception]:
    """Run inference; a device error is raised as `DeviceError`, also where it is a task's."""
    try:
        fills = model.predict(tasks)
    except Exception as error:
        if is_device_error(error):
            raise DeviceError(describe(error)) from error
        raise
    for fill in fills:
        if isinstance(fill, Exception) and is_device_error(fill):
            raise DeviceError(describe(fill))
    return fills
