"""Delivering webhooks: a task in every API process."""

import asyncio
import json
import logging
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from redis.exceptions import RedisError

from service.config.addresses import AllowList
from service.config.settings import Settings
from service.errors.requests import InvalidWebhook
from service.queue.redis_keys import RedisKeys
from service.redis.errors import RedisErrorLog
from service.webhooks.outbox import Outbox, PendingWebhook
from service.webhooks.sender import DeliveryError, Sender
from service.webhooks.signing import sign
from service.webhooks.url_check import check_webhook_url

log = logging.getLogger("captionfill.webhooks")

_AT_ONCE = 32
_POLL_SECONDS = 0.5
_GROWTH = 4.0


class Dispatcher:
    """Takes what is due from the outbox and sends it, again and again until it arrives."""

    def __init__(self, settings: Settings, outbox: Outbox, sender: Sender) -> None:
        self._settings, self._outbox, self._sender = settings, outbox, sender
        self._error_log = RedisErrorLog()

    async def run(self) -> None:
        """Deliver until cancelled; wait out a server that is away."""
        async with asyncio.TaskGroup() as group:
            running: set[asyncio.Task[None]] = set()
            while True:
                hooks = await self._claim(_AT_ONCE - len(running))
                for hook in hooks:
                    task = group.create_task(self._deliver(hook))
                    running.add(task)
                    task.add_done_callback(running.discard)
                await asyncio.sleep(0 if hooks else _POLL_SECONDS)

    async def _claim(self, room: int) -> list[PendingWebhook]:
        try:
            return await self._outbox.claim(room) if room else []
        except (RedisError, OSError) as error:
            self._error_log.warn(error)
        except Exception:  # whatever it is, those due later are still to be sent
            log.exception("webhooks failed")
        return []

    async def _deliver(self, hook: PendingWebhook) -> None:
        """Make one attempt. What goes wrong here is told and not raised: the lease remains."""
        try:
            await self._settle(hook)
        except (RedisError, OSError) as error:
            self._error_log.warn(error)
        except Exception:
            log.exception("webhook failed", extra={"job": hook.job})

    async def _settle(self, hook: PendingWebhook) -> None:
        try:
            await self._attempt(hook)
        except DeliveryError as error:
            await self._put_off(hook, error)
        else:
            log.info("webhook delivered", extra={"job": hook.job, "attempt": hook.attempt})
            await self._outbox.deliver(hook.job)

    async def _attempt(self, hook: PendingWebhook) -> None:
        if hook.attempt > self._settings.webhook_max_attempts:
            raise DeliveryError("the last attempt never ended", final=True)
        try:
            target = check_webhook_url(
                hook.url, self._settings
            )  # the settings may be others by now
        except InvalidWebhook as error:
            raise DeliveryError(str(error), final=True) from error
        body = hook.body or await self._write(hook)
        # One id for each end of a job: a dead letter may be put back, and end again.
        name = f"msg_{hook.job}_{json.loads(body)['data']['status']}"
        headers = sign(self._settings.webhook_secrets, name, int(time.time()), body)
        await self._sender.send(target, headers, body)

    async def _write(self, hook: PendingWebhook) -> bytes:
        if hook.state is None:
            raise DeliveryError("the job is not known any more", final=True)
        body = json.dumps(describe(hook.job, hook.state, self._settings.root_path)).encode()
        return await self._outbox.keep(hook.job, body)

    async def _put_off(self, hook: PendingWebhook, error: DeliveryError) -> None:
        tries = self._settings.webhook_max_attempts
        facts = {"job": hook.job, "attempt": hook.attempt, "reason": str(error)}
        if error.final or hook.attempt >= tries:
            log.warning("webhook given up", extra=facts)
            await self._outbox.abandon(hook.job, str(error))
            return
        log.info("webhook put off", extra=facts)
        pause = backoff(hook.attempt, self._settings.webhook_backoff)
        await self._outbox.retry(hook.job, pause, str(error))


def describe(job: str, state: str, root: str = "") -> dict[str, object]:
    """What a webhook says: enough to fetch the result with, and nothing of the picture."""
    return {
        "type": f"job.{state}",
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "data": {"job_id": job, "status": state, "result": f"{root}/jobs/{job}/result"},
    }


def backoff(attempts: int, pause_seconds: float) -> float:
    """Seconds to wait after a number of failed attempts: four times as long each time, ±20%.

    The jitter keeps the webhooks of a batch from coming all at once again and again.
    """
    return pause_seconds * _GROWTH ** (attempts - 1) * random.uniform(0.8, 1.2)  # noqa: S311


@asynccontextmanager
async def run_dispatcher(settings: Settings, redis: Any) -> AsyncIterator[None]:
    """Deliver webhooks in the background for as long as the context lasts.

    Args:
        settings: without a ``webhook_secret`` nothing is sent.
        redis: a client of redis.asyncio.
    """
    if not settings.webhook_secrets:
        yield
        return
    # An attempt is over before its lease is, the time for Redis included.
    outbox = Outbox(redis, RedisKeys(settings.namespace), 2 * settings.webhook_timeout + 1)
    sender = Sender(AllowList.parse(settings.webhook_allow), settings.webhook_timeout)
    task = asyncio.create_task(Dispatcher(settings, outbox, sender).run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await sender.close()
