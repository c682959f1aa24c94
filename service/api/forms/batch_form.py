"""The form of `POST /batches`: an archive, or pairs of pictures and captions."""

import json
from collections.abc import Sequence
from typing import Annotated

from pydantic import ConfigDict, Field

from captionfill.captions_file import CaptionRow
from captionfill.errors import InvalidCaption, InvalidField
from captionfill.imaging.region import parse_region
from service.api.archives.zip_reader import (
    ZipItem,
    ZipLimits,
    check_count,
    check_name,
    check_size,
    open_archive,
)
from service.api.forms.form import (
    PICTURE_TYPES,
    DetailChoice,
    File,
    Form,
    InpaintRequest,
    Mask,
    ModelName,
    Picture,
    RegionText,
    Seed,
    Temperature,
    refuse_both,
)
from service.api.forms.multipart import FormPart, fields_by_name, refuse_empty_mask
from service.api.forms.upload_checks import explain_mistake
from service.errors.requests import InvalidArchive

_ARCHIVE, _PAIRS = {"archive", "captions"}, {"image", "caption"}
# Bytes of an archive that are enough to recognize what is not one.
_PREFIX_BYTES = 4096


class BatchForm(Form):
    """The fields of a batch. Files and captions are described here and read by `read_batch`."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": ["archive"]}, {"required": ["image"]}],
            "not": {"required": ["region", "mask"]},
            "dependentRequired": {
                "captions": ["archive"],
                "image": ["caption"],
                "caption": ["image"],
            },
        }
    )

    archive: Annotated[bytes, File("application/zip")] = Field(
        b"",
        description="A zip of pictures with metadata.jsonl or metadata.csv: `file_name` and "
        "`caption` for each. Alternatively send `image` and `caption`.",
    )
    captions: str = Field(
        "",
        description="A JSON object of captions by file name; replaces the archive's own file.",
        examples=['{"dog.jpg": "a dog runs through the grass"}'],
        json_schema_extra={"contentMediaType": "application/json"},
    )
    image: Annotated[list[Picture], File(PICTURE_TYPES)] = Field(
        [], description="Pictures; the field is repeated."
    )
    caption: list[str] = Field(
        [],
        description="A caption for each picture, in the same order, as for POST /inpaint. An "
        "invalid one is refused together with its picture; the others are filled.",
        examples=[["a dog runs through the grass"]],
    )
    seed: Seed = None
    temperature: Temperature = 1.0
    detail: DetailChoice = "surroundings"
    region: RegionText = None
    mask: Mask = Field(b"", description="For all pictures, as for POST /inpaint.")
    model: ModelName = ""

    def request_for(self, item: ZipItem) -> InpaintRequest:
        """The request for one picture; `InvalidEntry` and `InvalidCaption` concern it only."""
        return InpaintRequest(
            image=item.read(),
            # pydantic takes no lone surrogates, which JSON can hold.
            caption=item.caption.encode("utf-8", "replace").decode(),
            seed=self.seed,
            temperature=self.temperature,
            detail=self.detail,
            region=self.region,
            model=self.model,
            mask=self.mask,
        )


def read_batch(parts: Sequence[FormPart], limits: ZipLimits) -> tuple[list[ZipItem], BatchForm]:
    """Return the pictures of a form with their captions, and the fields that apply to all.

    Raises:
        InvalidField, InvalidArchive, BatchTooLarge: nothing of the batch can be used.
    """
    parts = _without_unset(parts)
    names = {part.name for part in parts}
    if names & _ARCHIVE and names & _PAIRS:
        raise InvalidField("send either an archive, or pictures with a caption each")
    common = [part for part in parts if part.name not in _ARCHIVE | _PAIRS]
    refuse_empty_mask(common)
    form = BatchForm.check(fields_by_name(common))
    refuse_both(form.region, form.mask)
    if form.region is not None:
        parse_region(form.region)
    if names & _PAIRS:
        return _pair(parts, limits), form
    return _unpack([part for part in parts if part.name in _ARCHIVE], limits), form


def _without_unset(parts: Sequence[FormPart]) -> list[FormPart]:
    """The parts without those of the other kind of batch that were left empty."""
    used = {part.name for part in parts if not part.is_unset}
    other = _PAIRS if "archive" in used else _ARCHIVE if used & _PAIRS else set()
    return [part for part in parts if part.name not in other or not part.is_unset]


def _unpack(parts: Sequence[FormPart], limits: ZipLimits) -> list[ZipItem]:
    by_name = {part.name: part for part in parts}
    if len(by_name) < len(parts):
        raise InvalidField("the form has more than one archive")
    if "archive" not in by_name:
        raise InvalidField("the field 'archive' is missing, or pairs of 'image' and 'caption'")
    archive = by_name["archive"]
    captions = by_name.get("captions")
    rows = None if captions is None or captions.is_unset else _rows(captions.read())
    if reason := explain_mistake("archive", archive.open().read(_PREFIX_BYTES)):
        raise InvalidArchive(reason)
    return open_archive(archive.open(), rows, limits)


def _rows(text: bytes) -> list[CaptionRow]:
    try:
        captions = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidArchive("captions is not JSON") from error
    if not isinstance(captions, dict) or not all(isinstance(c, str) for c in captions.values()):
        raise InvalidArchive("captions must be a JSON object of captions by picture name")
    return [CaptionRow(name, caption) for name, caption in captions.items()]


def _pair(parts: Sequence[FormPart], limits: ZipLimits) -> list[ZipItem]:
    images = [part for part in parts if part.name == "image"]
    captions = [part for part in parts if part.name == "caption"]
    if len(images) != len(captions):
        raise InvalidField(
            f"{len(images)} pictures and {len(captions)} captions: send one caption per picture"
        )
    check_count(len(images), limits)
    return [_item(*pair, limits) for pair in zip(images, captions, strict=True)]


def _item(image: FormPart, caption: FormPart, limits: ZipLimits) -> ZipItem:
    def read() -> bytes:
        check_size(image.size, limits)
        if image.filename:
            check_name(image.filename)
        return image.read()

    try:
        return ZipItem(image.filename, caption.read().decode(), read)
    except UnicodeDecodeError as error:
        raise InvalidCaption("a caption is not valid UTF-8") from error
