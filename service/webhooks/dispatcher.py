"""Webhook delivery: a background task in every API process."""

import asyncio
import json
import logging
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from anyio import create_task_group
from redis.exceptions import RedisError
from standardwebhooks import Webhook

from service.config.addresses import AllowList
from service.config.settings import Settings
from service.errors.requests import InvalidWebhook
from service.queue.redis_keys import RedisKeys
from service.redis.client import RedisErrorLog
from service.webhooks.outbox import Outbox, PendingWebhook
from service.webhooks.sender import DeliveryError, Sender
from service.webhooks.url_check import check_webhook_url

log = logging.getLogger("captionfill.webhooks")

_MAX_CONCURRENT = 32
_POLL_SECONDS = 0.5
_BACKOFF_FACTOR = 4.0


class Dispatcher:
    """Claims webhooks that are due from the outbox and sends them, with retries."""

    def __init__(self, settings: Settings, outbox: Outbox, sender: Sender) -> None:
        self._settings, self._outbox, self._sender = settings, outbox, sender
        self._error_log = RedisErrorLog()

    async def run(self) -> None:
        """Deliver until cancelled. Errors of Redis are logged and retried."""
        async with asyncio.TaskGroup() as group:
            running: set[asyncio.Task[None]] = set()
            while True:
                hooks = await self._claim(_MAX_CONCURRENT - len(running))
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
        except Exception:  # later webhooks must still be sent
            log.exception("webhook claim failed")
        return []

    async def _deliver(self, hook: PendingWebhook) -> None:
        """Make one attempt. Errors are logged; the webhook is due again after its lease."""
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
            await self._retry(hook, error)
        else:
            log.info("webhook delivered", extra={"job": hook.job, "attempt": hook.attempt})
            await self._outbox.settle(hook.job, "delivered")

    async def _attempt(self, hook: PendingWebhook) -> None:
        if hook.attempt > self._settings.webhook_max_attempts:
            raise DeliveryError("the last attempt did not end", final=True)
        try:
            # The settings may have changed since the job was accepted.
            target = check_webhook_url(hook.url, self._settings)
        except InvalidWebhook as error:
            raise DeliveryError(str(error), final=True) from error
        body = hook.body or await self._write_body(hook)
        # A job that is requeued from a dead letter ends twice: each end has its own id.
        message_id = f"msg_{hook.job}_{json.loads(body)['data']['status']}"
        headers = sign(self._settings.webhook_secrets, message_id, datetime.now(UTC), body)
        await self._sender.send(target, headers, body)

    async def _write_body(self, hook: PendingWebhook) -> bytes:
        if hook.state is None:
            raise DeliveryError("the job is no longer known", final=True)
        body = json.dumps(job_event(hook.job, hook.state, self._settings.root_path)).encode()
        return await self._outbox.store_body(hook.job, body)

    async def _retry(self, hook: PendingWebhook, error: DeliveryError) -> None:
        facts = {"job": hook.job, "attempt": hook.attempt, "reason": str(error)}
        if error.final or hook.attempt >= self._settings.webhook_max_attempts:
            log.warning("webhook abandoned", extra=facts)
            await self._outbox.settle(hook.job, "abandoned", str(error))
            return
        log.info("webhook retry scheduled", extra=facts)
        delay = backoff(hook.attempt, self._settings.webhook_backoff)
        await self._outbox.retry(hook.job, delay, str(error))


def job_event(job: str, state: str, root: str = "") -> dict[str, object]:
    """Return the body of a webhook: the job's state and where its result is, no image data."""
    return {
        "type": f"job.{state}",
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "data": {"job_id": job, "status": state, "result": f"{root}/jobs/{job}/result"},
    }


def sign(
    secrets: Sequence[bytes], message_id: str, timestamp: datetime, body: bytes
) -> dict[str, str]:
    """Return the headers of one attempt (Standard Webhooks 1.0.0).

    Each secret gives a signature, so that secrets can be rotated. The id is the same for every
    attempt, so that a receiver can drop repeated ones.
    """
    signatures = [Webhook(key).sign(message_id, timestamp, body.decode()) for key in secrets]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(timestamp.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def backoff(attempts: int, first_seconds: float) -> float:
    """Return the delay before the next attempt [s]: exponential by a factor of 4, ±20% jitter.

    The jitter spreads the webhooks of a batch.
    """
    return first_seconds * _BACKOFF_FACTOR ** (attempts - 1) * random.uniform(0.8, 1.2)  # noqa: S311


@asynccontextmanager
async def run_dispatcher(settings: Settings, redis: Any) -> AsyncIterator[None]:
    """Deliver webhooks in the background while the context is open, if there is a secret."""
    if not settings.webhook_secrets:
        yield
        return
    # The lease is longer than an attempt and its Redis calls.
    outbox = Outbox(redis, RedisKeys(settings.namespace), 2 * settings.webhook_timeout + 1)
    sender = Sender(AllowList.parse(settings.webhook_allow), settings.webhook_timeout)
    try:
        # redis-py may turn a cancellation into an error of its own, which the dispatcher survives;
        # anyio's scope cancels again until the task has ended.
        async with create_task_group() as background:
            background.start_soon(Dispatcher(settings, outbox, sender).run)
            yield
            background.cancel_scope.cancel()
    finally:
        await sender.close()
