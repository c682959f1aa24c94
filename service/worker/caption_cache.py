"""The vectors of captions in Redis, shared by workers; a `captionfill.caption_vectors.SharedCache`.

A cache may forget: where Redis does not answer at once, vectors are computed, and Redis is left
alone for a while. Vectors are stored in the background, since a write may wait for a disk.
"""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import redis
from redis.exceptions import RedisError

from service.config.settings import Settings
from service.queue.redis_keys import GROUP, RedisKeys
from service.queue.scripts import script
from service.redis.client import CONNECTION, RedisErrorLog

_TIMEOUT_SECONDS = 0.25
_PAUSE_SECONDS = 5.0
_TTL_MS = 24 * 3_600_000  # after the last new caption
_MOST_WRITES = 8  # that wait at one time
_CHUNK = 256  # vectors in one command: 400 kB


class CaptionCache:
    """A bounded cache, with a pair of hashes for each encoder."""

    def __init__(
        self, settings: Settings, client: Any = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Connect when it is first used. `settings.caption_cache` is the most entries."""
        options = {**CONNECTION, "socket_timeout": _TIMEOUT_SECONDS}
        options["socket_connect_timeout"] = _TIMEOUT_SECONDS
        self._redis: Any = client or redis.Redis.from_url(settings.queue_url, **options)
        self._keys = RedisKeys(settings.namespace)
        self._limit, self._clock = settings.caption_cache, clock
        self._store: Any = self._redis.register_script(script("tasks/captions"))
        self._writer = ThreadPoolExecutor(1, "captions")
        self._writing: list[Future[None]] = []
        self._paused_until = float("-inf")
        self._errors = RedisErrorLog()

    def get(self, encoder: str, captions: Sequence[str]) -> Mapping[str, bytes]:
        """Return what is stored of these captions."""
        if self._clock() < self._paused_until:
            return {}
        newer, fields = self._key(encoder), [_field(caption) for caption in captions]
        try:
            with self._redis.pipeline(transaction=False) as pipe:
                pipe.hmget(newer, fields)
                pipe.hmget(f"{newer}:older", fields)
                rows = list(zip(captions, *pipe.execute(), strict=True))
        except (RedisError, OSError) as error:
            self._pause(error)
            return {}
        # Those that are still in use are kept.
        self.put(encoder, {caption: old for caption, new, old in rows if old and not new})
        return {caption: new or old for caption, new, old in rows if new or old}

    def put(self, encoder: str, entries: Mapping[str, bytes]) -> None:
        """Store vectors in the background; nothing where that falls behind."""
        self._writing = [one for one in self._writing if not one.done()]
        is_free = len(self._writing) < _MOST_WRITES and self._clock() >= self._paused_until
        if entries and is_free:
            self._writing.append(self._writer.submit(self._write, encoder, dict(entries)))

    def wait(self) -> None:
        """Wait until all is written."""
        for one in self._writing:
            one.result()

    def _write(self, encoder: str, entries: Mapping[str, bytes]) -> None:
        rows = [part for caption, data in entries.items() for part in (_field(caption), data)]
        head = [self._keys.prefix, GROUP, _name(encoder), self._limit, _TTL_MS]
        try:
            for start in range(0, len(rows), 2 * _CHUNK):
                self._store(args=[*head, *rows[start : start + 2 * _CHUNK]])
        except (RedisError, OSError) as error:
            self._pause(error)

    def _key(self, encoder: str) -> str:
        return f"{self._keys.captions}{_name(encoder)}"

    def _pause(self, error: Exception) -> None:
        self._errors.warn(error)
        self._paused_until = self._clock() + _PAUSE_SECONDS


def _field(caption: str) -> bytes:
    return hashlib.sha256(caption.encode("utf-8", "surrogatepass")).digest()[:16]


def _name(encoder: str) -> str:
    """Name an encoder in a key: its digest and format in 32 hexadecimal digits."""
    return hashlib.sha256(encoder.encode()).hexdigest()[:32]
