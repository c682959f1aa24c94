"""`POST /v1/images/edits`: image editing as OpenAI's clients ask for it."""

import base64
import time

from fastapi import APIRouter, Request, Response

from service.api.forms import openai_form
from service.api.forms.headers import idempotency_key
from service.api.forms.multipart import open_form
from service.api.inpaint_service import InpaintService
from service.api.routes import responses
from service.api.routes.inpaint import submit_and_wait
from service.api.routes.query_parameters import no_query
from service.api.schemas import inpaint, openai
from service.api.schemas.problems import EDIT, problems
from service.config.settings import Settings

router = APIRouter()

# Their clients have about twenty fields.
_MOST_PARTS = 64


@router.post(
    "/v1/images/edits",
    dependencies=[no_query(openai_form.FIELDS)],
    responses={200: openai.ANSWER, **problems(*EDIT)},
    openapi_extra={"requestBody": openai.FORM, "parameters": [inpaint.IDEMPOTENCY_KEY]},
)
async def edit_image(request: Request, response: Response) -> openai.ImagesResponse:
    """Fill the transparent part of a mask, in the shape of OpenAI's image-edit API.

    Only fully transparent pixels are written. An error is a problem document that has, besides,
    the member `error` which OpenAI's clients look for.

    `OpenAI(base_url="http://…/v1").images.edit(image=…, mask=…, prompt=…)`
    """
    settings: Settings = request.app.state.settings
    service: InpaintService = request.app.state.inpaint_service
    key = idempotency_key(request.headers)
    async with open_form(request, settings, _MOST_PARTS) as parts:
        edit = openai_form.read_edit(parts, settings)
    prepared = await service.prepare(edit.request, key)
    width, height = prepared.canvas.picture.size
    openai_form.check_size(edit.size, (width, height))
    answer = await submit_and_wait(request, prepared, key)
    response.headers.update(responses.caption_headers(answer))
    return openai.ImagesResponse(
        created=int(time.time()),
        data=[
            openai.EditedImage(b64_json=base64.b64encode(image).decode()) for image in answer.images
        ],
        size=f"{width}x{height}",
        notes=answer.notes,
    )
