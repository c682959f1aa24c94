"""Types of the fields that several forms have: their checks and their OpenAPI schemas."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic.json_schema import SkipJsonSchema

from captionfill.captions import MAX_CAPTION, check_caption
from service.api.forms.form import File
from service.queue.task import MAX_CANDIDATES, SEEDS

_INTEGER = re.compile(r"\d{1,10}", re.ASCII)
_DECIMAL = re.compile(r"-?\d{1,20}(\.\d{1,20})?([eE][+-]?\d{1,3})?", re.ASCII)
_NO_CONTROLS = r"[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*"


def _matching(pattern: re.Pattern[str]) -> BeforeValidator:
    """Accept text of one notation only: pydantic reads `1_0` and ` 1` as numbers, too."""

    def check(value: Any) -> Any:
        if isinstance(value, str) and not pattern.fullmatch(value):
            raise ValueError
        return value

    return BeforeValidator(check)


Picture = Annotated[
    bytes,
    File("image/png, image/jpeg, image/webp"),
    Field(description="PNG, JPEG or WebP, at least 64×64 pixels, 8 bits per channel."),
]
Caption = Annotated[
    str,
    AfterValidator(check_caption),
    Field(
        description="A description of the picture.",
        examples=["a dog runs through the grass"],
        json_schema_extra={
            "minLength": 1,
            "maxLength": MAX_CAPTION,
            "pattern": f"^{_NO_CONTROLS}[^\\s\\u0000-\\u001f\\u007f-\\u009f]{_NO_CONTROLS}$",
        },
    ),
]
Seed = (
    Annotated[
        int,
        Field(
            ge=0,
            le=SEEDS - 1,
            description="The same input and seed give the same result. Default: random.",
            examples=[7],
        ),
        _matching(_INTEGER),
    ]
    | SkipJsonSchema[None]
)
Temperature = Annotated[
    float,
    Field(
        ge=0,
        le=1,
        description="Scale of the noise. At 0 the seed has no effect: the result is the bundle's "
        "mean prediction, smoother than any sample.",
        examples=[0],
    ),
    _matching(_DECIMAL),
    AfterValidator(abs),  # -0 is 0
]
Count = Annotated[
    int,
    Field(
        ge=1,
        le=MAX_CANDIDATES,
        description="Number of candidates; more than one are returned as JSON. Their pixels "
        "together (twice as many with `compare`) are limited as those of one upload are: 40 "
        "million by default.",
        examples=[2],
    ),
    _matching(_INTEGER),
]
# The decoder checks it, once the picture's size is known.
RegionText = Annotated[
    str | SkipJsonSchema[None],
    Field(
        description="x,y,width,height of the region to fill. Default: the central half.",
        examples=["16,16,32,32"],
        json_schema_extra={"pattern": r"^\s*[0-9]{1,6}\s*(,\s*[0-9]{1,6}\s*){3}$"},
    ),
]
ModelName = Annotated[
    str,
    Field(
        description="Name of a bundle, from GET /v1/models.",
        examples=["default"],
        json_schema_extra={"maxLength": 200},
    ),
]
