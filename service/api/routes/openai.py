"""`POST /v1/images/edits`: OpenAI's image-edit API."""

import base64
import logging
import time

from fastapi import APIRouter, Request, Response

from service.api.forms import openai_form
from service.api.forms.form import request_body
from service.api.forms.headers import IdempotencyKey, check_idempotency_key
from service.api.forms.multipart import open_form
from service.api.routes import common
from service.api.routes.common import (
    Origin,
    UsedInpaintService,
    UsedSettings,
    no_query,
    wait_disconnect,
)
from service.api.schemas.bodies import EditedImage, ImagesResponse
from service.api.schemas.problems import EDIT, problems
from service.api.schemas.responses import IMAGES

log = logging.getLogger("captionfill.api")
router = APIRouter(tags=["OpenAI"])

# OpenAI's clients send about twenty fields.
_MAX_PARTS = 64


@router.post(
    "/v1/images/edits",
    summary="Fill a picture as OpenAI's API does",
    dependencies=[no_query(openai_form.EditForm.names())],
    responses={200: IMAGES, **problems(*EDIT)},
    openapi_extra={"requestBody": request_body(openai_form.EditForm)},
)
async def edit_image(
    request: Request,
    response: Response,
    *,
    settings: UsedSettings,
    service: UsedInpaintService,
    origin: Origin,
    idempotency_key: IdempotencyKey = None,
) -> ImagesResponse:
    """Fill the transparent part of a mask; the request and the response are those of OpenAI's API.

    Only fully transparent pixels are changed. An error is a problem document with the additional
    member `error`, which OpenAI's clients read.

    `OpenAI(base_url="http://…/v1").images.edit(image=…, mask=…, prompt=…)`
    """
    key = check_idempotency_key(idempotency_key)
    async with open_form(request, settings, _MAX_PARTS) as parts:
        form = openai_form.read_edit(parts)
    prepared = await service.prepare(
        form.inpaint_request(), origin, key, own_alpha=True, scored=False
    )
    width, height = prepared.canvas.picture.size
    openai_form.check_size(form.size, (width, height))
    result = await service.fill(prepared, lambda: wait_disconnect(request))
    log.info("filled", extra=common.log_fields(result))
    response.headers.update(common.caption_headers(result))
    return ImagesResponse(
        created=int(time.time()),
        data=[EditedImage(b64_json=base64.b64encode(image).decode()) for image in result.images],
        size=f"{width}x{height}",
        notes=result.notes,
    )
