"""A small application behind the gate, and a client of it."""

import asyncio
from contextlib import ExitStack

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from starlette.responses import PlainTextResponse

from captionfill.errors import CaptionfillError
from service.api.app import install_middleware
from service.middleware.problem_response import respond


def small_app(settings, observers=()):
    app = FastAPI()

    async def problem(request, error):
        return respond(request.scope, error)

    @app.get("/whoami/{anything}")
    async def whoami(request: Request, anything: str):
        return {"caller": request.state.caller.name, "request": request.state.request_id}

    @app.post("/echo")
    async def echo(request: Request):
        return {"size": len(await request.body())}

    @app.post("/refuse")
    async def refuse():
        return PlainTextResponse("no", 400)

    @app.get("/healthz")
    async def healthz():
        return {}

    @app.get("/boom")
    async def boom():
        return 1 / 0

    app.state.going_on = asyncio.Event()

    @app.get("/slow")
    async def slow():
        await app.state.going_on.wait()

    app.add_exception_handler(CaptionfillError, problem)
    install_middleware(app, settings, observers)
    return app


@pytest.fixture
def behind_gate(settings):
    """Make a client of the small application, with some settings changed."""
    with ExitStack() as stack:

        def make(observers=(), address="127.0.0.1", **changes):
            app = small_app(settings.model_copy(update=changes), observers)
            return stack.enter_context(TestClient(app, client=(address, 1)))

        yield make


@pytest.fixture
def kind():
    """The slug of a problem document."""
    return lambda answer: answer.json()["type"].removeprefix("/problems/")
