"""`POST /v1/images/edits`: image editing as OpenAI's clients ask for it."""

import base64
import time

from fastapi import APIRouter, Request, Response

from service import edits, errors, openai_schemas, schemas
from service.forms import open_form
from service.inpaint import Inpainter
from service.preferences import idempotency_key
from service.routes import answers
from service.routes.inpaint import fill_at_once
from service.routes.queries import no_query
from service.settings import Settings

router = APIRouter()

# Their clients have about twenty fields.
_MOST_PARTS = 64


@router.post(
    "/v1/images/edits",
    dependencies=[no_query(edits.FIELDS)],
    responses={200: openai_schemas.ANSWER, **schemas.problems(*errors.EDIT)},
    openapi_extra={"requestBody": openai_schemas.FORM, "parameters": [schemas.IDEMPOTENCY_KEY]},
)
async def edit_image(request: Request, response: Response) -> openai_schemas.ImagesResponse:
    """Fill the transparent part of a mask, in the shape of OpenAI's image-edit API.

    Only fully transparent pixels are written. An error is a problem document that has, besides,
    the member `error` which OpenAI's clients look for.

    `OpenAI(base_url="http://…/v1").images.edit(image=…, mask=…, prompt=…)`
    """
    settings: Settings = request.app.state.settings
    inpainter: Inpainter = request.app.state.inpainter
    key = idempotency_key(request.headers)
    async with open_form(request, settings, _MOST_PARTS) as parts:
        edit = edits.read_edit(parts, settings)
    prepared = await inpainter.prepare(edit.request, key)
    width, height = prepared.canvas.picture.size
    edits.check_size(edit.size, (width, height))
    answer = await fill_at_once(request, prepared, key)
    response.headers.update(answers.caption_headers(answer))
    return openai_schemas.ImagesResponse(
        created=int(time.time()),
        data=[
            openai_schemas.EditedImage(b64_json=base64.b64encode(image).decode())
            for image in answer.images
        ],
        size=f"{width}x{height}",
        notes=answer.notes,
    )
