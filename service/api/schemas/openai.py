"""JSON bodies of OpenAI's image-edit API, as far as this service supports it."""

from typing import Literal

from pydantic import BaseModel, Field

from service.api.schemas.inpaint import Problem


class EditedImage(BaseModel):
    """One filled picture."""

    b64_json: str = Field(description="base64 PNG at the size of the upload")


class ImagesResponse(BaseModel):
    """The filled pictures; best first if the bundle has a scorer."""

    created: int = Field(description="seconds since 1970")
    data: list[EditedImage]
    output_format: Literal["png"] = "png"
    size: str = Field(examples=["640x480"])
    notes: list[str] = Field(
        default=[], description="What was dropped from the upload. Not part of OpenAI's API."
    )


class OpenAIError(BaseModel):
    """The error object that OpenAI's clients read."""

    message: str
    type: Literal["invalid_request_error", "server_error"]
    param: str | None = Field(description="the field that is wrong, or null")
    code: str = Field(description="the last part of the problem's `type`")


class OpenAIProblem(Problem):
    """A problem document with the member `error` that OpenAI's clients read."""

    error: OpenAIError
