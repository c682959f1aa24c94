"""The shapes of OpenAI's image-edit API, as far as they are served."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from service.requests import MAX_CAPTION
from service.work import MAX_CANDIDATES, SEEDS


class EditedImage(BaseModel):
    """One filled picture."""

    b64_json: str = Field(description="base64 PNG at the size of the upload")


class ImagesResponse(BaseModel):
    """The filled pictures; the best first where the bundle can tell."""

    created: int = Field(description="seconds since 1970")
    data: list[EditedImage]
    output_format: Literal["png"] = "png"
    size: str = Field(examples=["640x480"])


def _only(*values: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(values), "default": values[0]}


_PICTURE = {"type": "string", "format": "binary"}

FORM: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["prompt"],
                "properties": {
                    "image": {
                        **_PICTURE,
                        "description": "PNG, JPEG or WebP; one. `image[]` is the same.",
                    },
                    "mask": {
                        **_PICTURE,
                        "description": "Of the same size; its fully transparent pixels are filled. "
                        "They must lie in a square of at most three quarters of the picture's "
                        "shorter side. Default: the picture's own transparency.",
                    },
                    "prompt": {
                        "type": "string",
                        "minLength": 1,
                        "maxLength": MAX_CAPTION,
                        "description": "What the picture shows.",
                        "examples": ["a dog runs through the grass"],
                    },
                    "model": {
                        "type": "string",
                        "maxLength": 200,
                        "description": "Name of a bundle, from GET /v1/models.",
                    },
                    "n": {
                        "type": "integer",
                        "minimum": 1,
                        "maximum": MAX_CANDIDATES,
                        "default": 1,
                    },
                    "size": {
                        "type": "string",
                        "default": "auto",
                        "description": "auto, or the picture's own size.",
                    },
                    "seed": {
                        "type": "integer",
                        "minimum": 0,
                        "maximum": SEEDS - 1,
                        "description": "Ours, not OpenAI's: same input and seed, same answer.",
                    },
                    "response_format": _only("b64_json"),
                    "output_format": _only("png"),
                    "background": _only("auto", "opaque"),
                    "stream": _only("false"),
                    "user": {"type": "string", "description": "Ignored."},
                    "quality": {"type": "string", "description": "Ignored."},
                },
            },
            "encoding": {"image": {"contentType": "image/png, image/jpeg, image/webp"}},
        }
    },
}
