"""Form models: one pydantic model describes a form in OpenAPI and checks its fields.

FastAPI's own `Form()` parameters are not used: FastAPI reads the whole body before the route runs.
Here the route first checks headers and queue, and reads the body with limits
(`service.api.forms.multipart`). Errors are typed problems instead of pydantic's messages.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator
from pydantic.fields import FieldInfo

from captionfill.errors import InvalidCaption, InvalidField

F = TypeVar("F", bound="Form")


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
    def check(cls: type[F], fields: Mapping[str, Any]) -> F:
        """Check every field.

        Raises:
            InvalidField: a field is missing, unknown or out of range.
            InvalidCaption, InvalidWebhook: from the validator of that field.
        """
        names = cls.names()
        for name in fields.keys() - names:
            raise InvalidField(f"unknown field {name[:40]!r}; known: {', '.join(sorted(names))}")
        try:
            return cls.model_validate(fields)
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
