"""What several routes need of a request: services, caller, query check and disconnection."""

from collections.abc import Awaitable, Callable, Collection
from typing import Annotated, Any, cast

from fastapi import Depends, Request

from captionfill.errors import InvalidField
from service.api.inpaint_service import InpaintService
from service.api.prepared_request import JobOrigin
from service.config.settings import Settings
from service.observability import current_traceparent
from service.queue.client import Queue


async def _settings(request: Request) -> Settings:
    return cast(Settings, request.app.state.settings)


async def _queue(request: Request) -> Queue:
    return cast(Queue, request.app.state.queue)


async def _inpaint_service(request: Request) -> InpaintService:
    return cast(InpaintService, request.app.state.inpaint_service)


async def _owner(request: Request) -> str:
    return cast(str, request.state.caller.name)


async def _origin(request: Request) -> JobOrigin:
    state = request.state
    return JobOrigin(state.caller.name, state.caller_id, state.request_id, current_traceparent())


UsedSettings = Annotated[Settings, Depends(_settings)]
UsedQueue = Annotated[Queue, Depends(_queue)]
UsedInpaintService = Annotated[InpaintService, Depends(_inpaint_service)]
# The name under which the caller's jobs and batches are kept.
Owner = Annotated[str, Depends(_owner)]
Origin = Annotated[JobOrigin, Depends(_origin)]


def root_path(request: Request) -> str:
    """The path that the service is published under, for links; empty at the root of a host."""
    root: str = request.scope.get("root_path", "")
    return root


async def wait_disconnect(request: Request) -> None:
    """Return when the client has disconnected."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def no_query(fields: Collection[str] = ()) -> Any:
    """A dependency that refuses every query parameter.

    If they were ignored, `POST /inpaint?seed=5` would be answered with a random seed.

    Args:
        fields: of the route's form; the error says that they belong there.

    Raises:
        InvalidField: from the dependency, for the first parameter.
    """
    return Depends(_refuse_query(frozenset(fields)))


def _refuse_query(fields: Collection[str]) -> Callable[[Request], Awaitable[None]]:
    async def refuse(request: Request) -> None:
        for name in request.query_params:
            if name in fields:
                raise InvalidField(f"{name} is a field of the form, not a query parameter")
            raise InvalidField(f"unknown query parameter {name[:40]!r}; this route takes none")

    return refuse
