"""Who sent a request, and whether they still hold the line."""

from typing import Any

from fastapi import Request

from service.auth.principal import Principal
from service.observability.tracing import current_traceparent


def job_origin(request: Request) -> dict[str, Any]:
    """What a job keeps of the request that it came from."""
    caller: Principal = request.state.caller
    return {
        "owner": caller.name,
        "account": request.state.caller_id,
        "request_id": request.state.request_id,
        "traceparent": current_traceparent(),
    }


def root_path(request: Request) -> str:
    """The path that the service is published under, for links; empty at the root of a host."""
    root: str = request.scope.get("root_path", "")
    return root


async def wait_disconnect(request: Request) -> None:
    """Return when the client has left."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
