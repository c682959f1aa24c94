"""Jobs that a client comes back for: their state, their result, their events, their end."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event

from service.api.forms.inpaint_form import choose_media_type
from service.api.inpaint_service import InpaintService
from service.api.routes import responses
from service.api.routes.dependencies import root_path
from service.api.schemas import inpaint
from service.api.schemas.problems import JOB, RESULT, problems
from service.auth.principal import Principal
from service.errors.jobs import JobLost, NoSuchJob
from service.errors.requests import InvalidHeader
from service.queue.client import Queue
from service.queue.jobs import State, Status

router = APIRouter()

JobId = Annotated[
    str, Path(description="from Location or X-Job-Id", json_schema_extra=inpaint.JOB_ID)
]


@router.get("/jobs/{job}", responses=problems(*JOB))
async def job_status(request: Request, job: JobId) -> inpaint.JobStatus:
    """Tell how far a job is: its state, its place in the queue, and how long that may take."""
    return responses.status_body(await _status(request, job), root_path(request))


@router.get(
    "/jobs/{job}/result",
    response_class=Response,
    responses={
        200: inpaint.ANSWER,
        304: inpaint.NOT_MODIFIED,
        **problems(*JOB, *RESULT),
    },
    openapi_extra={"parameters": [inpaint.IF_NONE_MATCH]},
)
async def job_result(request: Request, job: JobId) -> Response:
    """Fetch the result of an asynchronous job, as PNG or JSON, for as long as it is kept."""
    service: InpaintService = request.app.state.inpaint_service
    caller: Principal = request.state.caller
    answer = await service.result(job, caller.name)
    media_type = choose_media_type(
        request.headers.get("accept"), len(answer.images) + len(answer.others) > 1
    )
    tag = responses.etag(answer.name, answer.result.fill.model_version, media_type)
    return responses.not_modified(request, tag) or responses.result_response(answer, media_type)


@router.delete(
    "/jobs/{job}",
    status_code=204,
    response_class=Response,
    responses=problems(*JOB),
)
async def cancel_job(request: Request, job: JobId) -> Response:
    """Cancel a job, before the model sees it where it is queued; forget one that has ended."""
    queue: Queue = request.app.state.queue
    await _status(request, job)
    await queue.cancel(job)
    return Response(status_code=204)


# The id of an end that left no event: beyond those of all events, so that nothing follows it.
_END_ID = "9999999999999999999-0"


@router.get(
    "/jobs/{job}/events",
    response_class=StreamingResponse,
    responses={
        200: inpaint.EVENTS,
        204: inpaint.NO_EVENTS,
        **problems(*JOB, InvalidHeader),
    },
    openapi_extra={"parameters": [inpaint.LAST_EVENT_ID]},
)
async def job_events(request: Request, job: JobId) -> Response:
    """Follow a job by server-sent events up to its end.

    Each event is named for the state it tells of. Those with an id can be replayed:
    `Last-Event-ID` goes on after one; after the last one of a job that has ended, 204 tells an
    `EventSource` not to connect again. `progress` events, without id, tell the place in the queue.
    """
    last_event_id = request.headers.get("last-event-id")
    if last_event_id and not re.fullmatch(r"\d{1,19}-\d{1,19}", last_event_id, re.ASCII):
        raise InvalidHeader("Last-Event-ID is not one of this stream")
    status = await _status(request, job)
    if last_event_id and status.state.is_end and await _has_seen_end(request, job, last_event_id):
        return Response(status_code=204)
    stream = _stream(request, status, last_event_id or "0-0")
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


async def _stream(request: Request, status: Status, after: str) -> AsyncIterator[bytes]:
    """Events as they come; a comment now and then, so that nobody takes the silence for death."""
    queue: Queue = request.app.state.queue
    event_of = partial(_event, root_path(request))
    position = None
    async for event in queue.events(status.id, status.task_id, after):
        if event is not None:
            after = event.id
            yield event_of(event.state, event.id, await _look(queue, status))
            continue
        now = await _look(queue, status)
        if now.state.is_end:
            # It may have ended between the two looks, which left an event that can be replayed.
            rest = await queue.events_since(status.id, after)
            for last in rest:
                yield event_of(last.state, last.id, now)
            if not rest:  # an end that left no event: the deadline, or an answer at once
                yield event_of(now.state, _END_ID, now)
            return
        if now.position != position:
            position = now.position
            yield event_of("progress", None, now)
        else:
            yield format_sse_event(comment="still here")


async def _has_seen_end(request: Request, job: str, seen: str) -> bool:
    """Whether the event that a client saw last is the end of a job that has ended."""
    queue: Queue = request.app.state.queue
    events = await queue.events_since(job)
    end = events[-1].id if events and events[-1].state.is_end else _END_ID
    return _order(seen) >= _order(end)


def _order(number: str) -> tuple[int, ...]:
    return tuple(map(int, number.split("-")))


def _event(root: str, name: str, number: str | None, status: Status) -> bytes:
    text = responses.status_body(status, root).model_dump_json()
    return format_sse_event(data_str=text, event=str(name), id=number)


async def _look(queue: Queue, status: Status) -> Status:
    """The status as it is now, or the end of a job that is known no longer."""
    try:
        return await queue.status(status.id, status.owner)
    except NoSuchJob:
        return replace(status, state=State.EXPIRED)
    except JobLost:
        return replace(status, state=State.LOST)


async def _status(request: Request, job: str) -> Status:
    service: InpaintService = request.app.state.inpaint_service
    caller: Principal = request.state.caller
    return await service.status(job, caller.name)
