"""The form of POST /batches: an archive, or pairs of pictures and captions."""

import json
from collections.abc import Mapping, Sequence

from captionfill.captions_file import CaptionRow
from captionfill.errors import InvalidCaption, InvalidField
from captionfill.imaging.geometry import parse_region
from service.api.archives.zip_reader import (
    ZipItem,
    ZipLimits,
    check_count,
    check_name,
    check_size,
    open_archive,
)
from service.api.forms.inpaint_form import InpaintRequest
from service.api.forms.multipart import FormPart, fields_by_name
from service.api.forms.upload_checks import explain_mistake
from service.config.settings import Settings
from service.errors.requests import InvalidArchive

COMMON = ("seed", "temperature", "region", "model")
_ARCHIVE, _PAIRS = {"archive", "captions"}, {"image", "caption"}
_BEGINNING = 4096
FIELDS = _ARCHIVE | _PAIRS | set(COMMON)


def read_batch(
    parts: Sequence[FormPart], limits: ZipLimits
) -> tuple[list[ZipItem], dict[str, bytes]]:
    """Find the pictures of a form with their captions, and the fields that hold for all of them.

    Raises:
        InvalidField, InvalidArchive, BatchTooLarge: nothing of the batch can be used.
    """
    names = {part.name for part in parts}
    for name in names - FIELDS:
        raise InvalidField(f"unknown field {name[:40]!r}; known: {', '.join(sorted(FIELDS))}")
    if names & _ARCHIVE and names & _PAIRS:
        raise InvalidField("send either an archive, or pictures with a caption each")
    common = fields_by_name([part for part in parts if part.name in COMMON])
    if names & _PAIRS:
        return _pair(parts, limits), common
    return _unpack([part for part in parts if part.name in _ARCHIVE], limits), common


def check_common(common: Mapping[str, bytes], settings: Settings) -> InpaintRequest:
    """What is form for with every picture alike; it has no picture yet.

    Raises:
        InvalidField, InvalidRegion: a field that is bad for every one.
    """
    form = InpaintRequest.from_form({**common, "image": b"", "caption": b"any"}, settings)
    if form.region is not None:
        parse_region(form.region)
    return form


def request_for(item: ZipItem, common: Mapping[str, bytes], settings: Settings) -> InpaintRequest:
    """What a client asks for with one picture of a batch.

    Raises:
        InvalidEntry, InvalidField: of this picture alone.
    """
    form = {**common, "image": item.read(), "caption": item.caption.encode("utf-8", "replace")}
    return InpaintRequest.from_form(form, settings)


def _unpack(parts: Sequence[FormPart], limits: ZipLimits) -> list[ZipItem]:
    by_name = {part.name: part for part in parts}
    if len(by_name) < len(parts):
        raise InvalidField("one archive is taken at once")
    if "archive" not in by_name:
        raise InvalidField("the field 'archive' is missing, or pairs of 'image' and 'caption'")
    archive = by_name["archive"]
    captions = by_name.get("captions")
    rows = None if captions is None else _rows(captions.read())
    # What is no file is short, or told by its beginning.
    if reason := explain_mistake("archive", archive.open().read(_BEGINNING)):
        raise InvalidArchive(reason)
    return open_archive(archive.open(), rows, limits)


def _rows(text: bytes) -> list[CaptionRow]:
    try:
        captions = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidArchive("captions is no JSON") from error
    if not isinstance(captions, dict) or not all(isinstance(c, str) for c in captions.values()):
        raise InvalidArchive("captions must be a JSON object: a caption by each picture's name")
    return [CaptionRow(name, caption) for name, caption in captions.items()]


def _pair(parts: Sequence[FormPart], limits: ZipLimits) -> list[ZipItem]:
    images = [part for part in parts if part.name == "image"]
    captions = [part for part in parts if part.name == "caption"]
    if len(images) != len(captions):
        raise InvalidField(f"{len(images)} pictures and {len(captions)} captions: one for each")
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
