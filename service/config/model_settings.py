"""Settings of the workers and their models."""

import os
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field, field_validator
from pydantic_settings import NoDecode

from captionfill.errors import StartError
from captionfill.hub import is_hub_reference, split_reference
from service.config.machine import default_threads, default_workers

DEFAULT_BUNDLE = Path(__file__).resolve().parents[2] / "models" / "weights" / "default"
# Between the entries of a list like PATH's, but not within hf://.
_BETWEEN = re.compile(rf"{re.escape(os.pathsep)}(?!//)")


def _bundle_place(place: object) -> object:
    """Return a path as `Path`, and a reference to the Hub, which none may be, as text."""
    if not isinstance(place, str):
        return place
    if not is_hub_reference(place):
        return Path(place)
    try:
        split_reference(place)
    except StartError as error:
        raise ValueError(str(error)) from None
    return place


BundlePlace = Annotated[Path | str, BeforeValidator(_bundle_place)]


class ModelSettings(BaseModel):
    """Settings of the workers and their models."""

    bundle: BundlePlace = Field(
        DEFAULT_BUNDLE, description="a folder, or hf://OWNER/NAME@REVISION of the Hub"
    )
    bundles: Annotated[tuple[BundlePlace, ...], NoDecode] = Field(
        (), description="more bundles to load, as a list like PATH's"
    )
    workers: int = Field(
        default_factory=default_workers,
        ge=1,
        le=1024,
        description="that `captionfill serve` starts; by default one for eight of the cores and "
        "two GiB of memory that the machine or container has",
    )
    device: str = "cpu"
    engine: Literal["auto", "torch", "openvino", "openvino-f32"] = Field(
        "auto", description="what fills; auto is OpenVINO on a CPU where it can, else torch"
    )
    threads: int = Field(
        default_factory=lambda known: default_threads(known.get("workers", 1)),
        ge=1,
        description="images OpenVINO fills at one time, a thread each; by default the workers "
        "share all cores but one, and have at most eight each",
    )
    caption_cache: int = Field(
        10_000, ge=0, description="vectors of captions that workers share in Redis; 0 for none"
    )
    batch_limit: int = Field(8, gt=0, description="images in one batch")
    inference_timeout: float | None = Field(
        None,
        gt=0,
        description="for one batch; a quarter of request_timeout by default, at most a third",
    )
    model_failures: int = Field(
        3,
        gt=0,
        description="of a bundle in a row, after which it gets no tasks until a probe succeeds",
    )

    @field_validator("bundles", mode="before")
    @classmethod
    def _split_bundles(cls, paths: object) -> object:
        return tuple(filter(None, _BETWEEN.split(paths))) if isinstance(paths, str) else paths

    @property
    def bundle_places(self) -> list[Path | str]:
        """Every bundle to load; the first is the default."""
        return [self.bundle, *self.bundles]
