import asyncio
from contextlib import AsyncExitStack, ExitStack

import httpx
import pytest
from fastapi import Request
from starlette.responses import StreamingResponse

from service.config.settings import Settings
from service.errors.queue import Busy, TooManyAtOnce, UploadsFull
from service.middleware.admission import ConcurrencyLimit
from service.middleware.body_limit import OVERHEAD, ByteBudget
from tests.service.middleware.conftest import small_app

FEW = {"max_bytes": 1000, "body_limits": {}}


def test_caller_gets_its_share_of_requests():
    requests = ConcurrencyLimit(Settings(max_requests=3, max_caller_requests=2))
    with ExitStack() as stack:
        for caller in ("ann", "ann", ""):
            requests.check_total()
            requests.check_caller(caller)
            stack.enter_context(requests.acquire(caller))
        with pytest.raises(TooManyAtOnce):
            requests.check_caller("ann")
        with pytest.raises(Busy):
            requests.check_total()
        requests.check_caller("ben")
    requests.check_total()
    requests.check_caller("ann")


def test_memory_budget_is_shared_with_half_per_caller():
    most = 10 * (1000 + OVERHEAD)
    budget = ByteBudget(Settings(max_upload_bytes=most, **FEW))
    budget.reserve("ann", most // 2)
    with pytest.raises(TooManyAtOnce):
        budget.reserve("ann", 1)
    budget.reserve("ben", most // 2)
    with pytest.raises(UploadsFull):
        budget.reserve("cleo", 1)
    budget.release("ann", most // 2)
    budget.reserve("cleo", most // 2)


def test_the_largest_body_always_fits():
    budget = ByteBudget(Settings(max_upload_bytes=1, max_bytes=1000, body_limits={"/b": 10**6}))
    budget.reserve("ann", 10**6 + OVERHEAD)
    with pytest.raises(UploadsFull):
        budget.reserve("ben", 1)


def app_with_stream(settings, gate, **changes):
    """The small application, with an endless stream of events until the gate opens."""
    app = small_app(settings.model_copy(update=changes))

    @app.get("/events")
    async def events(request: Request):
        async def stream():
            yield b"data: 1\n\n"
            await gate.wait()

        return StreamingResponse(stream(), media_type="text/event-stream")

    return app


def at(app, address="127.0.0.1"):
    transport = httpx.ASGITransport(app, client=(address, 1))
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.001)


def test_event_streams_of_one_caller_leave_others_served(settings):
    async def run():
        gate, begun = asyncio.Event(), []
        app = app_with_stream(settings, gate, max_requests=10, max_caller_requests=4)

        async def listen(client):
            begun.append(1)
            return (await client.get("/events")).status_code

        async with at(app, "192.0.2.1") as one, at(app, "192.0.2.2") as other:
            listening = [asyncio.create_task(listen(one)) for _ in range(4)]
            await until(lambda: len(begun) == 4)
            await asyncio.sleep(0)
            refused = await one.get("/whoami/x")
            probe = await one.get("/healthz")
            served = await other.get("/whoami/x")
            gate.set()
            assert await asyncio.gather(*listening) == [200] * 4
            return refused, probe, served, await one.get("/whoami/x")

    refused, *others = asyncio.run(run())
    assert refused.status_code == 429 and refused.json()["type"] == "/problems/too-many-at-once"
    assert refused.headers["retry-after"] == "1"
    assert [answer.status_code for answer in others] == [200] * 3


@pytest.mark.parametrize("announced", [True, False])
def test_open_uploads_use_budget_and_release_it(settings, announced):
    """Four callers hold the budget; the next is told 503, and served when one is done."""
    size = 200_000

    async def run():
        gate, sent = asyncio.Event(), []
        changes = {"max_bytes": size, "body_limits": {}, "max_upload_bytes": 4 * size + OVERHEAD}
        app = small_app(settings.model_copy(update=changes))

        async def slow():
            yield bytes(size - 1)
            sent.append(1)
            await gate.wait()
            yield b"."

        headers = {"Content-Length": str(size)} if announced else {}
        async with AsyncExitStack() as clients:
            callers = [await clients.enter_async_context(at(app, f"192.0.2.{i}")) for i in range(6)]
            posts = [
                asyncio.create_task(caller.post("/echo", content=slow(), headers=headers))
                for caller in callers[:4]
            ]
            await until(lambda: len(sent) == 4)
            await asyncio.sleep(0)
            full = await callers[4].post("/echo", content=bytes(size))
            bodiless = await callers[4].get("/whoami/x")
            gate.set()
            done = await asyncio.gather(*posts)
            return full, bodiless, done, await callers[5].post("/echo", content=bytes(size))

    full, bodiless, done, later = asyncio.run(run())
    assert (full.status_code, full.json()["type"]) == (503, "/problems/uploads-full")
    assert full.headers["retry-after"] and bodiless.status_code == 200
    assert [answer.json() for answer in [*done, later]] == [{"size": size}] * 5


def test_uploads_of_one_caller_leave_half_the_budget(settings):
    size = 200_000

    async def run():
        gate, sent = asyncio.Event(), []
        changes = {"max_bytes": size, "body_limits": {}, "max_upload_bytes": 4 * size + OVERHEAD}
        app = small_app(settings.model_copy(update=changes))

        async def slow():
            yield bytes(size - 1)
            sent.append(1)
            await gate.wait()
            yield b"."

        async with at(app, "192.0.2.1") as one, at(app, "192.0.2.2") as other:
            posts = [asyncio.create_task(one.post("/echo", content=slow())) for _ in range(2)]
            await until(lambda: len(sent) == 2)
            await asyncio.sleep(0)
            third = await one.post("/echo", content=bytes(size))
            served = await other.post("/echo", content=bytes(size))
            gate.set()
            return third, served, *await asyncio.gather(*posts)

    third, *served = asyncio.run(run())
    assert (third.status_code, third.json()["type"]) == (429, "/problems/too-many-at-once")
    assert [answer.status_code for answer in served] == [200] * 3
