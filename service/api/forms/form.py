"""Form models: one pydantic model describes a form in OpenAPI and checks its fields.

FastAPI's own `Form()` parameters are not used: FastAPI reads the whole body before the route runs.
Here the route first checks headers and queue, and reads the body with limits
(`service.api.forms.multipart`). Errors are typed problems instead of pydantic's messages.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic.json_schema import SkipJsonSchema

from captionfill.captions import MAX_CAPTION, check_caption
from captionfill.errors import InvalidCaption, InvalidField, InvalidMask
from captionfill.imaging.canvas import Detail
from service.api.forms.upload_checks import decode_data_url, explain_mistake
from service.queue.task import MAX_CANDIDATES, SEEDS

F = TypeVar("F", bound="Form")
PICTURE_TYPES = "image/png, image/jpeg, image/webp, image/avif, image/gif, image/heic"
_INTEGER = re.compile(r"\d{1,10}", re.ASCII)
_SEED = re.compile(r"-1|\d{1,10}", re.ASCII)
_DECIMAL = re.compile(r"-?\d{1,20}(\.\d{1,20})?([eE][+-]?\d{1,3})?", re.ASCII)
_NO_CONTROLS = r"[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*"


@dataclass(frozen=True)
class File:
    """Marks a field as a file, with the media types that OpenAPI lists for it."""

    content_type: str


class Form(BaseModel):
    """A multipart form. Text fields arrive as UTF-8 bytes."""

    model_config = ConfigDict(extra="forbid")

    @field_validator("*", mode="before")
    @classmethod
    def _decode(cls, value: Any, info: ValidationInfo) -> Any:
        name = info.field_name or ""
        if not isinstance(value, bytes) or _file(cls.model_fields[name]):
            return value
        try:
            return value.decode()
        except UnicodeDecodeError as error:
            kind = InvalidCaption if name in ("caption", "prompt") else InvalidField
            raise kind(f"{name} is not valid UTF-8") from error

    @classmethod
    def names(cls) -> list[str]:
        """The fields' names on the wire."""
        return [field.alias or name for name, field in cls.model_fields.items()]

    @classmethod
    def _without_blanks(cls, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The fields without optional texts that are empty: HTML forms send what is unset, too."""
        optional = {
            field.alias or name
            for name, field in cls.model_fields.items()
            if not field.is_required() and _file(field) is None
        }
        return {
            name: value
            for name, value in fields.items()
            if name not in optional or value not in (b"", "")
        }

    @classmethod
    def check(cls: type[F], fields: Mapping[str, Any]) -> F:
        """Check every field. An optional text that is empty counts as absent.

        Raises:
            InvalidField: a field is missing, unknown or out of range.
            InvalidCaption: the value of that field is invalid.
        """
        names = cls.names()
        for name in fields.keys() - names:
            raise InvalidField(f"unknown field {name[:40]!r}; known: {', '.join(sorted(names))}")
        try:
            return cls.model_validate(cls._without_blanks(fields))
        except ValidationError as error:
            raise InvalidField(_explain(cls, error)) from error


def request_body(form: type[Form]) -> dict[str, Any]:
    """The OpenAPI request body of a form."""
    schema = form.model_json_schema()
    for one in schema["properties"].values():
        del one["title"]
        if one.get("default") in (None, "", []):  # a form has no null: the field is left out
            one.pop("default", None)
    encoding = {
        field.alias or name: {"contentType": file.content_type}
        for name, field in form.model_fields.items()
        if (file := _file(field)) is not None
    }
    for one in ("title", "description"):
        schema.pop(one, None)
    content = {"multipart/form-data": {"schema": schema, "encoding": encoding}}
    return {"required": True, "content": content}


def _matching(pattern: re.Pattern[str]) -> BeforeValidator:
    """Accept text of one notation only: pydantic reads `1_0` and ` 1` as numbers, too."""

    def check(value: Any) -> Any:
        if isinstance(value, str) and not pattern.fullmatch(value):
            raise ValueError
        return value

    return BeforeValidator(check)


Picture = Annotated[
    bytes,
    File(PICTURE_TYPES),
    BeforeValidator(decode_data_url),
    Field(
        description="PNG, JPEG, WebP, AVIF, GIF (its first frame) or, where the service has "
        "pillow-heif, HEIC, or a data URL of one; at least 64×64 pixels."
    ),
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
            ge=-1,
            le=SEEDS - 1,
            description="The same input and seed give the same result. Default, and at -1: random.",
            examples=[7],
        ),
        _matching(_SEED),
        AfterValidator(lambda seed: None if seed == -1 else seed),
    ]
    | SkipJsonSchema[None]
)
Quality = (
    Annotated[
        int,
        Field(
            ge=1,
            le=100,
            description="Of a JPEG, which `Accept: image/jpeg` asks for. Default: 90.",
            examples=[90],
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
DetailChoice = Annotated[
    Detail,
    Field(
        description="`surroundings`: a fill that is scaled is fitted to the colours around it, and "
        "gets their fine detail above 1.5 times its size. `none`: it is interpolated only.",
        examples=["surroundings"],
    ),
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


def _check_mask(mask: bytes) -> bytes:
    if mask and (reason := explain_mistake("mask", mask)):
        raise InvalidMask(reason)
    return mask


Mask = Annotated[
    bytes,
    File(PICTURE_TYPES),
    BeforeValidator(decode_data_url),
    AfterValidator(_check_mask),
    Field(
        description="In the place of `region`, a picture of the same size: its white pixels are "
        "filled, the black ones are kept; where it has transparency, the fully transparent pixels "
        "are filled. Several and long holes are filled by up to 16 windows.",
    ),
]


class InpaintRequest(Form):
    """A request with checked fields. Pictures and region are checked when they are decoded."""

    model_config = ConfigDict(json_schema_extra={"not": {"required": ["region", "mask"]}})

    image: Picture
    caption: Caption
    seed: Seed = None
    temperature: Temperature = 1.0
    detail: DetailChoice = "surroundings"
    region: RegionText = None
    mask: Mask = b""
    n: Count = 1
    compare: Annotated[
        Caption | SkipJsonSchema[None],
        Field(
            description="A second caption: the response is JSON with the results for both.",
            examples=["a cat runs through the grass"],
        ),
    ] = None
    model: ModelName = ""
    quality: Quality = None
    output: Annotated[
        Literal["picture", "fill"],
        Field(
            description="The whole picture, or its region alone; where there is a mask, the rest "
            "of the region is transparent then.",
            examples=["picture"],
        ),
    ] = "picture"
    webhook: Annotated[
        str,
        Field(
            description="https address to call when the job has ended; the response is a job.",
            examples=["https://example.com/filled"],
            json_schema_extra={"format": "iri", "pattern": "^https?://", "maxLength": 2048},
        ),
    ] = ""

    @model_validator(mode="after")
    def _check_hole(self) -> Self:
        refuse_both(self.region, self.mask)
        return self

    @property
    def has_several_results(self) -> bool:
        """Whether the response has more than one picture."""
        return self.n > 1 or self.compare is not None


def refuse_both(region: str | None, mask: bytes) -> None:
    """Raise `InvalidField` for a mask beside a region."""
    if region is not None and mask:
        raise InvalidField("mask takes the place of region; send one of them")


def _file(field: FieldInfo) -> File | None:
    return next((one for one in field.metadata if isinstance(one, File)), None)


def _explain(form: type[Form], error: ValidationError) -> str:
    """The first error of a form, in terms of its field."""
    first = error.errors(include_url=False)[0]
    name = str(first["loc"][0])
    if first["type"] == "missing":
        return f"{name} is missing"
    if first["type"] == "literal_error":
        return f"{name} can only be {first['ctx']['expected']} here"
    schema = form.model_json_schema()["properties"][name]
    kind = "a whole number" if schema["type"] == "integer" else "a number"
    return f"{name} must be {kind} from {schema['minimum']} to {schema['maximum']}"
