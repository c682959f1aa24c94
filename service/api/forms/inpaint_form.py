"""The form of `POST /inpaint`, which is also the request that the inpaint service takes."""

from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic.json_schema import SkipJsonSchema

from service.api.forms.fields import (
    Caption,
    Count,
    ModelName,
    Picture,
    RegionText,
    Seed,
    Temperature,
)
from service.api.forms.form import Form
from service.errors.requests import InvalidWebhook


def _not_empty(webhook: str) -> str:
    if not webhook:
        raise InvalidWebhook("the webhook's address is empty")
    return webhook


class InpaintRequest(Form):
    """A request with checked fields. Picture and region are checked when they are decoded."""

    image: Picture
    caption: Caption
    seed: Seed = None
    temperature: Temperature = 1.0
    region: RegionText = None
    n: Count = 1
    compare: Annotated[
        Caption | SkipJsonSchema[None],
        Field(
            description="A second caption: the response is JSON with the results for both.",
            examples=["a cat runs through the grass"],
        ),
    ] = None
    model: ModelName = ""
    webhook: Annotated[
        str,
        BeforeValidator(_not_empty),
        Field(
            description="https address to call when the job has ended; the response is a job.",
            examples=["https://example.com/filled"],
            json_schema_extra={"format": "iri", "pattern": "^https?://", "maxLength": 2048},
        ),
    ] = ""

    @property
    def has_several_results(self) -> bool:
        """Whether the response has more than one picture."""
        return self.n > 1 or self.compare is not None
