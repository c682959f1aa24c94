"""The form of OpenAI's image-edit API, converted to a request of this service."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from captionfill.errors import InvalidField
from service.api.forms.form import (
    Caption,
    Count,
    DetailChoice,
    Form,
    InpaintRequest,
    Mask,
    ModelName,
    Picture,
    Seed,
    Temperature,
)
from service.api.forms.multipart import FormPart, fields_by_name, refuse_empty_mask

# Clients that were written for OpenAI name its models: they get the default bundle.
OPENAI_MODELS = frozenset(
    {"chatgpt-image-latest", "dall-e-2", "gpt-image-1", "gpt-image-1-mini", "gpt-image-1.5"}
)

_PICTURES = ("image", "image[]", "mask")
_Ignored = Annotated[str, Field(description="Ignored.")]


class EditForm(Form):
    """The fields of OpenAI's API, and of this service: `seed`, `temperature` and `detail`."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["image"]}, {"required": ["image[]"]}]}
    )

    image: Picture = Field(b"", description="As for POST /inpaint; one.")
    image_list: Picture = Field(b"", alias="image[]", description="The same as `image`.")
    mask: Mask = Field(
        b"",
        description="A picture of the same size; its fully transparent pixels are filled, or the "
        "white ones if it has none that are transparent. Default: the picture's own transparency.",
    )
    prompt: Caption
    model: ModelName = ""
    n: Count = 1
    size: str = Field(
        "auto",
        description="auto, or the picture's own size.",
        examples=["auto"],
        json_schema_extra={"pattern": "^(auto|[0-9]{1,5}x[0-9]{1,5})$"},
    )
    seed: Seed = None
    temperature: Temperature = 1.0
    detail: DetailChoice = "surroundings"
    # These are accepted with the listed values only.
    response_format: Literal["b64_json"] = Field("b64_json", examples=["b64_json"])
    output_format: Literal["png"] = Field("png", examples=["png"])
    background: Literal["auto", "opaque"] = Field("auto", examples=["auto"])
    stream: Literal["false", "False"] = Field("false", examples=["false"])
    partial_images: Literal["0"] = Field("0", examples=["0"])
    output_compression: Literal["100"] = Field("100", examples=["100"])
    user: _Ignored = Field("", examples=["somebody"])
    quality: _Ignored = Field("", examples=["auto"])
    input_fidelity: _Ignored = Field("", examples=["high"])
    moderation: _Ignored = Field("", examples=["auto"])
    safety_identifier: _Ignored = Field("", examples=["somebody"])

    def inpaint_request(self) -> InpaintRequest:
        """The picture, the mask, the caption and the options."""
        return InpaintRequest(
            image=self.image or self.image_list,
            caption=self.prompt,
            mask=self.mask,
            seed=self.seed,
            temperature=self.temperature,
            detail=self.detail,
            n=self.n,
            model="" if self.model in OPENAI_MODELS else self.model,
        )


def read_edit(parts: Sequence[FormPart]) -> EditForm:
    """Check every field of a form; raise `InvalidField`, `InvalidCaption` or `InvalidMask`."""
    parts = [part for part in parts if part.name not in _PICTURES or not part.is_unset]
    pictures = sum(part.name in ("image", "image[]") for part in parts)
    if pictures != 1:
        raise InvalidField(f"image: {pictures} pictures were sent; exactly one is accepted")
    refuse_empty_mask(parts)
    return EditForm.check(fields_by_name(parts))


def check_size(size: str, real: tuple[int, int]) -> None:
    """Raise `InvalidField` if the client expects another size than the picture's own."""
    own = f"{real[0]}x{real[1]}"
    if size not in ("auto", own):
        raise InvalidField(f"size: the result has the picture's size; send 'auto' or {own!r}")
