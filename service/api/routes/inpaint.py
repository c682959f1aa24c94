"""`POST /inpaint` and `/inpaint/json`: fill one picture, synchronously or as a job."""

import logging

from fastapi import APIRouter, Request, Response

from service.api.forms.form import InpaintRequest, request_body
from service.api.forms.headers import (
    JSON,
    CacheControl,
    IdempotencyKey,
    IfNoneMatch,
    Prefer,
    PreferHeader,
    check_idempotency_key,
    choose_media_type,
    etag_matches,
    picture_type,
    wants_no_cache,
)
from service.api.forms.multipart import read_form
from service.api.inpaint_service import InpaintService
from service.api.prepared_request import PreparedRequest
from service.api.routes import common
from service.api.routes.common import (
    Origin,
    UsedInpaintService,
    UsedQueue,
    UsedSettings,
    no_query,
    root_path,
    wait_disconnect,
)
from service.api.schemas.problems import INPAINT, INPAINT_JSON, problems
from service.api.schemas.responses import JOB_ACCEPTED, NOT_MODIFIED, RESULT, RESULT_JSON
from service.config.settings import Settings
from service.errors.queue import AnswerTimeout
from service.queue.client import Queue
from service.webhooks.url_check import check_webhook_url

log = logging.getLogger("captionfill.api")
# To read it costs less than to ask first whether its job would be taken, which `submit` does.
_SMALL_BODY = 64 * 1024
router = APIRouter(tags=["Fill"])


@router.post(
    "/inpaint",
    summary="Fill a picture",
    dependencies=[no_query(InpaintRequest.names())],
    response_class=Response,
    responses={200: RESULT, 202: JOB_ACCEPTED, 304: NOT_MODIFIED, **problems(*INPAINT)},
    openapi_extra={"requestBody": request_body(InpaintRequest)},
)
async def inpaint(
    request: Request,
    *,
    settings: UsedSettings,
    queue: UsedQueue,
    service: UsedInpaintService,
    origin: Origin,
    prefer: Prefer = None,
    idempotency_key: IdempotencyKey = None,
    cache_control: CacheControl = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Fill the hidden region of a picture from its surroundings and a caption.

    Pixels in the region are never read, and pixels outside it are not changed. With
    `Prefer: respond-async` or a `webhook` the response is a job, whose result is fetched later.
    `Accept` chooses PNG or WebP, both without loss, or JPEG, whose pixels all differ a little.

    `curl -F image=@photo.jpg -F 'caption=a dog in the snow' -o filled.png …/inpaint`
    """
    preference = PreferHeader.parse(prefer)
    key = check_idempotency_key(idempotency_key)
    form = await _read(request, settings, queue, key)
    media_type = choose_media_type(request.headers.get("accept"), form.has_several_results)
    if form.webhook:
        check_webhook_url(form.webhook, settings)
    no_cache = wants_no_cache(cache_control)
    prepared = await service.prepare(
        form,
        origin,
        key,
        no_cache=no_cache,
        media_type=picture_type(media_type),
        # The type of a job's response is not known yet.
        scored=media_type == JSON or preference.background or bool(form.webhook),
    )
    if prepared.task.model_version and not no_cache:
        tag = common.etag(prepared.name, prepared.task.model_version, media_type)
        if etag_matches(if_none_match, tag):
            return common.not_modified(tag)
    return await _respond(request, service, prepared, preference, media_type)


@router.post(
    "/inpaint/json",
    summary="Fill a picture; the answer is JSON",
    dependencies=[no_query(InpaintRequest.names())],
    response_class=Response,
    responses={200: RESULT_JSON, 202: JOB_ACCEPTED, **problems(*INPAINT_JSON)},
    openapi_extra={"requestBody": request_body(InpaintRequest)},
)
async def inpaint_json(
    request: Request,
    *,
    settings: UsedSettings,
    queue: UsedQueue,
    service: UsedInpaintService,
    origin: Origin,
    prefer: Prefer = None,
    idempotency_key: IdempotencyKey = None,
    cache_control: CacheControl = None,
) -> Response:
    """Fill as `POST /inpaint` does; the answer is always JSON, for generated clients.

    They choose the type of an answer by its status alone, and not by its media type.
    """
    preference = PreferHeader.parse(prefer)
    key = check_idempotency_key(idempotency_key)
    form = await _read(request, settings, queue, key)
    if form.webhook:
        check_webhook_url(form.webhook, settings)
    prepared = await service.prepare(form, origin, key, no_cache=wants_no_cache(cache_control))
    return await _respond(request, service, prepared, preference, JSON)


async def _read(request: Request, settings: Settings, queue: Queue, key: str) -> InpaintRequest:
    """The checked body; one of over 64 KiB is not read if the queue is full."""
    length = request.headers.get("content-length", "")
    is_small = length.isdecimal() and int(length[:20]) <= _SMALL_BODY
    if not key and not is_small:  # with a key, the job may exist already
        await queue.check_room()
    return InpaintRequest.check(await read_form(request, settings))


async def _respond(
    request: Request,
    service: InpaintService,
    prepared: PreparedRequest,
    preference: PreferHeader,
    media_type: str,
) -> Response:
    """The result, or a job if the client prefers one or has a webhook."""
    if prepared.request.webhook or preference.background:
        return await _submit_job(request, service, prepared, preference, media_type)
    result = await service.fill(prepared, lambda: wait_disconnect(request), preference.wait)
    log.info("filled", extra=common.log_fields(result))
    return common.result_response(result, media_type)


async def _submit_job(
    request: Request,
    service: InpaintService,
    prepared: PreparedRequest,
    preference: PreferHeader,
    media_type: str,
) -> Response:
    """Queue a job; respond with its result if it is done within `Prefer: wait`."""
    with service.reserve(prepared) as completion:
        job = await service.submit(prepared, background=True)
        facts = {"job": job.job, "priority": "interactive", "candidates": prepared.task.count}
        log.info("accepted", extra=facts)
        if preference.wait:
            try:
                result = await service.wait(
                    prepared, job, completion, lambda: wait_disconnect(request), preference.wait
                )
                return common.result_response(result, media_type)
            except AnswerTimeout:
                pass
    status = await service.status(job.job, prepared.origin.owner)
    return common.job_accepted(status, preference.applied, root_path(request))
