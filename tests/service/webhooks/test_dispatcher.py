"""From a job in the outbox to its receiver, on a real server."""

import asyncio
import json
import time
from contextlib import AsyncExitStack

import pytest
import redis.asyncio
import standardwebhooks
from redis.exceptions import RedisError

from service.queue.redis_keys import RedisKeys
from service.webhooks.dispatcher import backoff, run_dispatcher
from service.webhooks.outbox import Outbox
from tests.helpers.cancellation import SwallowsFirstCancellation

pytestmark = pytest.mark.server


@pytest.fixture
def settings(settings, secret):
    times = {"webhook_timeout": 30, "webhook_backoff": 0.05, "webhook_max_attempts": 3}
    return type(settings)(
        redis_url=settings.redis_url, namespace=settings.namespace, webhook_secret=secret,
        webhook_allow="127.0.0.1", **times,
    )  # fmt: skip


class Box(Outbox):
    """An outbox that says where it keeps things."""

    def __init__(self, client, keys, lease_seconds):
        super().__init__(client, keys, lease_seconds)
        self.keys = keys


def run(settings, receiver, script, *, processes=1, seconds=120):
    """Deliver from some API processes' worth of tasks while ``script(box, receiver)`` runs."""

    async def main():
        async with asyncio.timeout(seconds), AsyncExitStack() as stack:
            client = redis.asyncio.Redis.from_url(settings.queue_url, protocol=2)
            stack.push_async_callback(client.aclose)
            await stack.enter_async_context(receiver.listening())
            box = Box(client, RedisKeys(settings.namespace), 1)
            for _ in range(processes):
                await stack.enter_async_context(run_dispatcher(settings, client))
            await script(box, client, f"http://127.0.0.1:{receiver.port}/hook")

    asyncio.run(main())


async def post(box, client, url, job="j1", state="done"):
    """What the queue does when a job with a webhook ends."""
    await client.hset(box.keys.job + job, mapping={"webhook": url, "state": state})
    await client.zadd(box.keys.hooks, {job: int(time.time() * 1000)})


async def state(box, client, job="j1"):
    """Wait until the webhook is settled, and tell how."""
    async with asyncio.timeout(60):
        while not (found := await client.hget(box.keys.hook + job, "state")):
            await asyncio.sleep(0.02)
    return found.decode()


def test_webhook_signature_verifies_with_the_official_library(settings, receiver, secret):
    one = receiver(204)

    async def script(box, client, url):
        await post(box, client, url)
        assert await state(box, client) == "delivered"

    run(settings, one, script)
    [(_, headers, body)] = one.requests
    found = standardwebhooks.Webhook(secret).verify(body, headers)
    assert (found["type"], headers["webhook-id"]) == ("job.done", "msg_j1_done")
    assert found["data"] == {"job_id": "j1", "status": "done", "result": "/jobs/j1/result"}


def test_while_secrets_rotate_either_verifies(settings, receiver, secret):
    newer = "whsec_" + "QkJC" * 8
    both = settings.model_copy(
        update={"webhook_secret": type(settings.webhook_secret)(f"{newer} {secret}")}
    )
    one = receiver(204)

    async def script(box, client, url):
        await post(box, client, url)
        await one.hears(1)

    run(both, one, script)
    [(_, headers, body)] = one.requests
    assert all(standardwebhooks.Webhook(key).verify(body, headers) for key in (newer, secret))


def test_failed_attempt_repeats_with_same_id_and_body(settings, receiver):
    one = receiver(500, 503, 204)

    async def script(box, client, url):
        await post(box, client, url)
        assert await state(box, client) == "delivered"

    run(settings, one, script)
    assert len(one.requests) == 3
    assert len({(headers["webhook-id"], body) for _, headers, body in one.requests}) == 1


def test_after_the_last_attempt_webhook_fails_with_reason(settings, receiver):
    one = receiver(500)

    async def script(box, client, url):
        await post(box, client, url)
        assert await state(box, client) == "abandoned"
        assert await client.hget(box.keys.hook + "j1", "error") == b"status 500"
        assert await client.zcard(box.keys.hooks) == 0

    run(settings, one, script)
    assert len(one.requests) == settings.webhook_max_attempts


def test_several_processes_deliver_each_webhook_once(settings, receiver):
    one = receiver(204)

    async def script(box, client, url):
        for number in range(30):
            await post(box, client, url, f"j{number}")
        for number in range(30):
            assert await state(box, client, f"j{number}") == "delivered"

    run(settings, one, script, processes=3)
    assert len({headers["webhook-id"] for _, headers, _ in one.requests}) == 30 == len(one.requests)


def test_deliveries_of_dead_process_are_taken_over(settings, receiver):
    one = receiver(204)

    async def script(box, client, url):
        await client.hset(box.keys.job + "j1", "webhook", url)
        assert await client.zscore(box.keys.hooks, "j1") > time.time() * 1000  # still on lease
        assert await state(box, client) == "delivered"

    async def take_and_die():
        client = redis.asyncio.Redis.from_url(settings.queue_url, protocol=2)
        box = Box(client, RedisKeys(settings.namespace), 2)
        await post(box, client, "http://127.0.0.1:1/")
        assert len(await box.claim(8)) == 1 and await box.claim(8) == []
        await client.aclose()

    asyncio.run(take_and_die())
    run(settings, one, script)
    assert json.loads(one.requests[0][2])["type"] == "job.done"


def test_deleted_job_sends_no_webhook(settings, receiver):
    async def script(box, client, _):
        await client.zadd(box.keys.hooks, {"j1": 0})
        async with asyncio.timeout(60):
            while await client.zcard(box.keys.hooks):
                await asyncio.sleep(0.02)

    one = receiver()
    run(settings, one, script)
    assert one.requests == []


def test_the_last_attempts_need_the_job_no_more(settings, receiver):
    one = receiver(500, 204)

    async def script(box, client, url):
        await post(box, client, url)
        await one.hears(1)
        await client.delete(box.keys.job + "j1")
        assert await state(box, client) == "delivered"

    run(settings, one, script)
    assert [json.loads(body)["data"]["status"] for *_, body in one.requests] == ["done", "done"]


def test_dead_letter_that_ends_again_is_sent_again(settings, receiver):
    one = receiver(204)

    async def script(box, client, url):
        await post(box, client, url, state="failed")
        assert await state(box, client) == "delivered"
        await post(box, client, url)
        await one.hears(2)

    run(settings, one, script)
    found = [(headers["webhook-id"], json.loads(body)["type"]) for _, headers, body in one.requests]
    assert found == [("msg_j1_failed", "job.failed"), ("msg_j1_done", "job.done")]


def test_what_became_of_webhooks_is_counted(settings, receiver):
    async def script(box, client, url):
        await post(box, client, url)
        assert await state(box, client) == "abandoned"
        found = await client.hmget(box.keys.metrics, "hooks_retried", "hooks_abandoned")
        assert found == [b"2", b"1"]

    run(settings, receiver(500), script)


def test_webhook_no_longer_allowed_is_dropped_unsent(settings, receiver):
    one = receiver()

    async def script(box, client, url):
        await post(box, client, url)
        assert await state(box, client) == "abandoned"

    run(settings.model_copy(update={"webhook_allow": ""}), one, script)
    assert one.requests == []


def test_the_default_tries_spread_over_about_an_hour():
    pauses = [backoff(attempts, 10) for attempts in range(1, 6)]
    assert 40 * 60 < sum(pauses) < 75 * 60 and pauses == sorted(pauses)


def test_a_swallowed_cancellation_does_not_prevent_closing(settings, receiver, monkeypatch):
    claim = SwallowsFirstCancellation(RedisError("away"))
    monkeypatch.setattr(Outbox, "claim", claim)

    async def script(box, client, url):
        await asyncio.sleep(0.05)

    began = time.monotonic()
    run(settings, receiver(204), script, seconds=20)  # this would cancel a second time
    assert claim.swallowed == 1 and time.monotonic() - began < 15
