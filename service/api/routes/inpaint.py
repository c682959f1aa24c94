"""`POST /inpaint`: one picture, at once or later."""

import logging

from fastapi import APIRouter, Request, Response

from service.api.forms.headers import PreferHeader, idempotency_key, wants_no_cache
from service.api.forms.inpaint_form import FIELDS, InpaintRequest, choose_media_type
from service.api.forms.multipart import read_form
from service.api.inpaint_service import InpaintResult, InpaintService, PreparedRequest
from service.api.routes import responses
from service.api.routes.dependencies import job_origin, root_path, wait_disconnect
from service.api.routes.query_parameters import no_query
from service.api.schemas import inpaint as schemas
from service.api.schemas.problems import INPAINT, problems
from service.config.settings import Settings
from service.errors.jobs import AnswerTimeout
from service.errors.requests import BadRequest
from service.queue.client import Queue
from service.webhooks.url_check import check_webhook_url

log = logging.getLogger("captionfill.api")
router = APIRouter()


@router.post(
    "/inpaint",
    dependencies=[no_query(FIELDS)],
    response_class=Response,
    responses={
        200: schemas.ANSWER,
        202: schemas.ACCEPTED,
        304: schemas.NOT_MODIFIED,
        **problems(*INPAINT),
    },
    openapi_extra={"requestBody": schemas.FORM, "parameters": schemas.INPAINT_HEADERS},
)
async def inpaint(request: Request) -> Response:
    """Fill the hidden region of a picture from what surrounds it and from a caption.

    What lies in the region is never read, and nothing outside it is changed. With
    `Prefer: respond-async`, or a `webhook`, the answer is a job to come back for.

    `curl -F image=@photo.jpg -F 'caption=a dog in the snow' -o filled.png …/inpaint`
    """
    settings: Settings = request.app.state.settings
    service: InpaintService = request.app.state.inpaint_service
    preference = PreferHeader.parse(request.headers.get("prefer"))
    key = idempotency_key(request.headers)
    if not key:  # with a key, the job may be there already
        queue: Queue = request.app.state.queue
        await queue.check_room()
    form = InpaintRequest.from_form(await read_form(request, settings), settings)
    media_type = choose_media_type(request.headers.get("accept"), form.many)
    if form.webhook:
        check_webhook_url(form.webhook, settings)
    no_cache = wants_no_cache(request.headers)
    prepared = await service.prepare(form, key, no_cache=no_cache)
    if prepared.task.model_version and not no_cache:
        tag = responses.etag(prepared.name, prepared.task.model_version, media_type)
        if (not_modified := responses.not_modified(request, tag)) is not None:
            return not_modified
    if form.webhook or preference.background:
        return await _later(request, prepared, key, preference, media_type)
    answer = await submit_and_wait(request, prepared, key, preference.wait)
    return responses.result_response(answer, media_type)


async def submit_and_wait(
    request: Request, prepared: PreparedRequest, key: str, wait: float | None = None
) -> InpaintResult:
    """Wait while the client holds its connection; who leaves it, leaves the queue.

    Args:
        request: of the client.
        prepared: what it asks for.
        key: its Idempotency-Key, or empty.
        wait: seconds that it wants to wait at most.
    """
    settings: Settings = request.app.state.settings
    service: InpaintService = request.app.state.inpaint_service
    limit = settings.request_timeout
    seconds = limit if wait is None else min(wait, limit)
    with service.reserve(prepared) as completion:
        job = await service.submit(prepared, key=key, **job_origin(request))
        try:
            answer = await service.wait(job, completion, lambda: wait_disconnect(request), seconds)
        except (AnswerTimeout, BadRequest):
            # With a key the client may come back for it, and another may be waiting.
            if not key:
                await service.cancel(job.id)
            raise
    log.info("filled", extra=responses.result_log_fields(answer))
    return answer


async def _later(
    request: Request, prepared: PreparedRequest, key: str, preference: PreferHeader, media_type: str
) -> Response:
    """Accept the job, and answer it all the same where it is done within `Prefer: wait`."""
    service: InpaintService = request.app.state.inpaint_service
    with service.reserve(prepared) as completion:
        job = await service.submit(prepared, key=key, background=True, **job_origin(request))
        log.info("accepted", extra=responses.job_log_fields(job))
        if preference.wait:
            try:
                answer = await service.wait(
                    job, completion, lambda: wait_disconnect(request), preference.wait
                )
                return responses.result_response(answer, media_type)
            except AnswerTimeout:
                pass
    status = await service.status(job.id, job.job.owner)
    return responses.accepted_response(status, preference.applied, root_path(request))
