"""Checks of the Redis server: version, eviction policy, persistence and role."""

import logging
import time
from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import redis
from redis.exceptions import AuthenticationError, RedisError, ResponseError

from captionfill.errors import StartError
from service.config.settings import Settings
from service.errors.queue import NotReady, QueueUnavailable
from service.queue.redis_keys import RedisKeys
from service.redis.client import CONNECTION, reason_of

log = logging.getLogger("captionfill.redis")

_OLDEST = (6, 2)
# Readiness is probed about once a second; the policy changes rarely.
_ROLE_SECONDS = 0.5
_FACTS_SECONDS = 10.0
_SECTIONS = ("server", "memory", "persistence")


@dataclass(frozen=True)
class RedisFacts:
    """The version and the `maxmemory-policy` of a server, and whether it persists its data.

    `persistent` counts an append-only file or snapshots; it is None if unknown.
    """

    version: tuple[int, ...]
    policy: str
    persistent: bool | None

    @classmethod
    def parse(cls, sections: Sequence[Mapping[str, Any]], save: str | None) -> "RedisFacts":
        """Parse sections of INFO, and the snapshot schedule if CONFIG GET is allowed."""
        info = ChainMap(*map(dict, sections))
        version = str(info.get("redis_version", "0")).split(".")[:2]
        append_only = bool(info.get("aof_enabled"))
        persistent = True if append_only or save else (None if save is None else False)
        policy = str(info.get("maxmemory_policy", "noeviction"))
        return cls(tuple(int(part) for part in version), policy, persistent)

    def refusal(self, settings: Settings) -> str:
        """Return why this server cannot be used, or an empty string."""
        if self.version < _OLDEST:
            found = ".".join(map(str, self.version))
            return f"Redis is version {found}; 6.2 or newer is needed"
        if self.policy != "noeviction" and not settings.allow_eviction:
            return (
                f"Redis may evict accepted jobs: its maxmemory-policy is {self.policy}; set it to "
                "noeviction, or CAPTIONFILL_ALLOW_EVICTION=true to accept that jobs can be lost"
            )
        return ""

    def warnings(self) -> list[str]:
        """Return warnings for the operator."""
        found = []
        if self.policy != "noeviction":
            found.append(f"Redis may evict accepted jobs: its maxmemory-policy is {self.policy}")
        if self.persistent is False:
            found.append(
                "Redis persists nothing (appendonly no, save ''): a restart loses all jobs"
            )
        return found


def check_redis(settings: Settings, *, must_answer: bool = False) -> None:
    """Check the server at the start, and log warnings.

    A server that does not answer is accepted by default: `RedisMonitor` checks it later.

    Args:
        settings: with the server's address.
        must_answer: refuse a server that does not answer PING.

    Raises:
        StartError: the server or the password cannot be used; the message names the settings.
    """
    try:
        with redis.Redis.from_url(settings.queue_url, **CONNECTION) as client:
            if must_answer:
                _ping(client)
            sections = [client.info(section) for section in _SECTIONS]
            try:
                save = client.config_get("save").get("save")
            except ResponseError:
                save = None
            facts = RedisFacts.parse(sections, save)
    except AuthenticationError as error:
        message = f"Redis refuses the user or password in REDIS_URL: {reason_of(error)}"
        raise StartError(message) from error
    except (RedisError, OSError) as error:  # one may refuse INFO
        log.warning("Redis not checked", extra={"reason": reason_of(error)})
        return
    if refusal := facts.refusal(settings):
        raise StartError(refusal)
    for warning in facts.warnings():
        log.warning(warning)


def _ping(client: redis.Redis) -> None:
    try:
        client.ping()
    except AuthenticationError:
        raise
    except (RedisError, OSError) as error:
        raise StartError(f"no Redis answers at REDIS_URL: {reason_of(error)}") from error


class RedisMonitor:
    """Checks the API's Redis for readiness: the role each time, other facts every 10 s."""

    def __init__(self, client: Any, settings: Settings) -> None:
        self._client, self._settings = client, settings
        self._probe = f"{RedisKeys(settings.namespace).prefix}probe"
        self._facts: RedisFacts | None = None
        self._facts_read = self._role_read = float("-inf")

    async def check(self) -> list[str]:
        """Return warnings about the server.

        Raises:
            QueueUnavailable: it does not answer, or refuses writes.
            NotReady: it may evict jobs, or is too old.
        """
        try:
            await self._check_role()
            facts = await self._read_facts()
        except ResponseError as error:
            raise QueueUnavailable(f"Redis refuses writes: {reason_of(error)}") from error
        except (RedisError, OSError) as error:
            raise QueueUnavailable("the queue does not answer") from error
        if refusal := facts.refusal(self._settings):
            raise NotReady(refusal)
        return facts.warnings()

    async def _check_role(self) -> None:
        now = time.monotonic()
        if now - self._role_read < _ROLE_SECONDS:
            return
        # A write without effect: refused by a replica, on a full disk, with too few replicas.
        await self._client.delete(self._probe)
        role = (await self._client.info("replication")).get("role", "master")
        if role != "master":
            raise ResponseError(f"its role is {role}")
        self._role_read = now

    async def _read_facts(self) -> RedisFacts:
        now = time.monotonic()
        if self._facts is None or now - self._facts_read > _FACTS_SECONDS:
            sections = [await self._client.info(section) for section in _SECTIONS]
            try:
                save = (await self._client.config_get("save")).get("save")
            except ResponseError:
                save = None
            self._facts, self._facts_read = RedisFacts.parse(sections, save), now
        return self._facts
