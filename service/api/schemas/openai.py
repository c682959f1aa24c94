"""The shapes of OpenAI's image-edit API, as far as they are served."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from service.api.schemas.inpaint import (
    CAPTION,
    CAPTION_HEADERS,
    COUNT,
    MODEL,
    PICTURE,
    PICTURE_TYPES,
    SEED,
    TEMPERATURE,
    Problem,
)


class EditedImage(BaseModel):
    """One filled picture."""

    b64_json: str = Field(description="base64 PNG at the size of the upload")


class ImagesResponse(BaseModel):
    """The filled pictures; the best first where the bundle can tell."""

    created: int = Field(description="seconds since 1970")
    data: list[EditedImage]
    output_format: Literal["png"] = "png"
    size: str = Field(examples=["640x480"])
    notes: list[str] = Field(
        default=[], description="Ours, not OpenAI's: what of the upload is not in the pictures."
    )


class OpenAIError(BaseModel):
    """What OpenAI's clients show of an error."""

    message: str
    type: Literal["invalid_request_error", "server_error"]
    param: str | None = Field(description="the field that is wrong, where it is one")
    code: str = Field(description="the last part of the problem's `type`")


class OpenAIProblem(Problem):
    """A problem document that has, besides, what OpenAI's clients look for."""

    error: OpenAIError


def _only(*values: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(values), "default": values[0], "examples": [values[0]]}


def _ignored(example: str) -> dict[str, Any]:
    return {"type": "string", "description": "Ignored.", "examples": [example]}


ANSWER: dict[str, Any] = {"headers": CAPTION_HEADERS}
FORM: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["prompt"],
                "additionalProperties": False,
                "oneOf": [{"required": ["image"]}, {"required": ["image[]"]}],
                "properties": {
                    "image": {**PICTURE, "description": "PNG, JPEG or WebP; one."},
                    "image[]": {**PICTURE, "description": "`image` by its other name."},
                    "mask": {
                        **PICTURE,
                        "description": "Of the same size; its fully transparent pixels are filled. "
                        "They must lie in a square of at most three quarters of the picture's "
                        "shorter side. Default: the picture's own transparency.",
                    },
                    "prompt": CAPTION,
                    "model": MODEL,
                    "n": {
                        **COUNT,
                        "description": "Candidates. Their pixels together are at most what one "
                        "upload may have: 40 million by default.",
                    },
                    "size": {
                        "type": "string",
                        "default": "auto",
                        "pattern": "^(auto|[0-9]{1,5}x[0-9]{1,5})$",
                        "description": "auto, or the picture's own size.",
                        "examples": ["auto"],
                    },
                    "seed": {
                        **SEED,
                        "description": "Ours, not OpenAI's: same input and seed, same answer.",
                    },
                    "temperature": {
                        **TEMPERATURE,
                        "description": f"Ours, not OpenAI's. {TEMPERATURE['description']}",
                    },
                    "response_format": _only("b64_json"),
                    "output_format": _only("png"),
                    "background": _only("auto", "opaque"),
                    "stream": _only("false", "False"),
                    "partial_images": _only("0"),
                    "output_compression": _only("100"),
                    "user": _ignored("somebody"),
                    "quality": _ignored("auto"),
                    "input_fidelity": _ignored("high"),
                    "moderation": _ignored("auto"),
                    "safety_identifier": _ignored("somebody"),
                },
            },
            "encoding": {
                "image": {"contentType": PICTURE_TYPES},
                "image[]": {"contentType": PICTURE_TYPES},
                "mask": {"contentType": PICTURE_TYPES},
            },
        }
    },
}
