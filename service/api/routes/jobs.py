"""`/jobs`: the status, the result, the events and the cancellation of jobs."""

import re
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event

from service.api.forms.headers import (
    EVENT_ID,
    JSON,
    IfNoneMatch,
    LastEventId,
    choose_media_type,
    etag_matches,
    picture_type,
)
from service.api.routes import common
from service.api.routes.common import Owner, UsedInpaintService, UsedQueue, root_path
from service.api.schemas.bodies import JOB_ID, JobStatus
from service.api.schemas.problems import JOB, RESULT, RESULT_JSON, problems
from service.api.schemas.responses import EVENT_STREAM, EVENTS, NO_EVENTS, NOT_MODIFIED
from service.api.schemas.responses import RESULT as RESULT_RESPONSE
from service.api.schemas.responses import RESULT_JSON as RESULT_JSON_RESPONSE
from service.errors.queue import JobLost, NoSuchJob
from service.errors.requests import InvalidHeader
from service.queue.client import Queue
from service.queue.jobs import State, Status

router = APIRouter(tags=["Jobs"])

JobId = Annotated[str, Path(description="from Location or X-Job-Id", json_schema_extra=JOB_ID)]
# The event id of an end that left no event; greater than the ids of all events.
_END_ID = "9999999999999999999-0"


@router.get("/jobs/{job}", summary="State of a job", responses=problems(*JOB))
async def job_status(
    request: Request, job: JobId, service: UsedInpaintService, owner: Owner
) -> JobStatus:
    """Return the state of a job, its place in the queue, and an estimate of the time left."""
    return common.status_body(await service.status(job, owner), root_path(request))


@router.get(
    "/jobs/{job}/result",
    summary="Result of a job",
    response_class=Response,
    responses={200: RESULT_RESPONSE, 304: NOT_MODIFIED, **problems(*JOB, *RESULT)},
)
async def job_result(
    request: Request,
    job: JobId,
    service: UsedInpaintService,
    owner: Owner,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Fetch the result of an asynchronous job, as an image or JSON, until it expires."""
    chosen = ""

    def choose(several: bool) -> str:
        nonlocal chosen
        chosen = choose_media_type(request.headers.get("accept"), several)
        return picture_type(chosen)

    result = await service.result(job, owner, choose)
    media_type = chosen
    tag = common.etag(result.name, result.task.fill.model_version, media_type)
    if etag_matches(if_none_match, tag):
        return common.not_modified(tag)
    return common.result_response(result, media_type)


@router.get(
    "/jobs/{job}/result/json",
    summary="Result of a job as JSON",
    response_class=Response,
    responses={200: RESULT_JSON_RESPONSE, **problems(*JOB, *RESULT_JSON)},
)
async def job_result_json(job: JobId, service: UsedInpaintService, owner: Owner) -> Response:
    """Fetch the result of an asynchronous job, always as JSON, for generated clients."""
    return common.result_response(await service.result(job, owner), JSON)


@router.delete(
    "/jobs/{job}",
    summary="Cancel or delete a job",
    status_code=204,
    response_class=Response,
    responses=problems(*JOB),
)
async def cancel_job(
    job: JobId, service: UsedInpaintService, queue: UsedQueue, owner: Owner
) -> Response:
    """Cancel a job; a queued one never reaches the model. Delete a job that has ended."""
    await service.status(job, owner)
    await queue.cancel(job)
    return Response(status_code=204)


@router.get(
    "/jobs/{job}/events",
    summary="Events of a job",
    response_class=StreamingResponse,
    responses={200: EVENTS, 204: NO_EVENTS, **problems(*JOB, InvalidHeader)},
)
async def job_events(
    request: Request,
    job: JobId,
    *,
    service: UsedInpaintService,
    queue: UsedQueue,
    owner: Owner,
    last_event_id: LastEventId = None,
) -> Response:
    """Stream the events of a job (server-sent events) until it ends.

    Each event is named after the job's new state. Events with an id can be replayed: with
    `Last-Event-ID` the stream continues after that event; a replayed event has the state that it
    reported. After the last event of an ended job, 204 tells an `EventSource` not to reconnect.
    `progress` events have no id and report the place in the queue.

    An `EventSource` sends no API key: give it the address `links.event_source` of the job, whose
    token is checked when the stream is opened.
    """
    if last_event_id and not re.fullmatch(EVENT_ID, last_event_id):
        raise InvalidHeader("Last-Event-ID is not an id of this stream")
    status = await service.status(job, owner)
    if last_event_id and status.state.is_end and await _has_seen_end(queue, job, last_event_id):
        return Response(status_code=204)
    event_of = partial(_event, root_path(request), getattr(request.state, "event_token", ""))
    stream = _stream(queue, status, last_event_id or "0-0", event_of)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(stream, media_type=EVENT_STREAM, headers=headers)


async def _stream(
    queue: Queue, status: Status, after: str, event_of: Callable[[str, str | None, Status], bytes]
) -> AsyncIterator[bytes]:
    """Events as they occur; comments in between keep the connection open."""
    position = None
    async for event in queue.events.follow(status.id, status.task_id, after):
        if event is not None:
            after = event.id
            now = await _fetch_status(queue, status)
            yield event_of(event.state, event.id, _as_of(event.state, now))
            continue
        now = await _fetch_status(queue, status)
        if now.state.is_end:
            # It may have ended since `events` last read; that event can be replayed.
            rest = await queue.events.since(status.id, after)
            for last in rest:
                yield event_of(last.state, last.id, _as_of(last.state, now))
            if not rest:  # expired, or answered from the cache: there is no event
                yield event_of(now.state, _END_ID, now)
            return
        if now.position != position:
            position = now.position
            yield event_of("progress", None, now)
        else:
            yield format_sse_event(comment="keep-alive")


async def _has_seen_end(queue: Queue, job: str, seen: str) -> bool:
    """Whether an event id is that of an ended job's last event."""
    events = await queue.events.since(job)
    end = events[-1].id if events and events[-1].state.is_end else _END_ID
    return _order(seen) >= _order(end)


def _order(event_id: str) -> tuple[int, ...]:
    return tuple(map(int, event_id.split("-")))


def _as_of(state: State, now: Status) -> Status:
    """The status that an event reported; what only holds today is left out."""
    if state == now.state:
        return now
    return replace(now, state=state, position=None, estimate=None, reason="")


def _event(root: str, token: str, name: str, event_id: str | None, status: Status) -> bytes:
    text = common.status_body(status, root, token).model_dump_json()
    return format_sse_event(data_str=text, event=str(name), id=event_id)


async def _fetch_status(queue: Queue, status: Status) -> Status:
    """The current status, or an end state for a job that Redis no longer knows."""
    try:
        return await queue.status(status.id, status.owner)
    except NoSuchJob:
        return replace(status, state=State.EXPIRED)
    except JobLost:
        return replace(status, state=State.LOST)
