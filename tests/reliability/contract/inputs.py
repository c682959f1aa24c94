"""Real pictures in what schemathesis makes up: or every upload would be refused for its picture.

A generated value is replaced where the document cannot say which of the values that fit its schema
go together: a picture, a region inside of it, a mask of its size. What makes a case a negative one
stays, as it does not fit the schema.
"""

import hashlib
import io
import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any
from zlib import crc32

from PIL import Image
from schemathesis.transport.serialization import Binary

from tests.helpers.archives import zip_bytes
from tests.helpers.images import encode_image, smooth_image
from tests.helpers.service.stub_model import CRASHING_SEED, FAILING_SEED

PLAIN = (("PNG", "RGB", (64, 64)), ("JPEG", "RGB", (90, 72)), ("WEBP", "RGB", (80, 64)),
         ("PNG", "L", (64, 100)), ("PNG", "P", (70, 70)))  # fmt: skip
REGIONS = ("16,16,32,32", "0,0,16,16", "10, 20, 12,40", "60,60,4,4")  # inside 64×64
# Fields that take any text; sent twice, they are refused.
FREE = {"caption", "compare", "prompt", "user", "quality", "input_fidelity", "moderation",
        "safety_identifier"}  # fmt: skip
CAPTION = "a dog runs through the grass"
# Values of headers that are no keys and no ids.
WRONG = {"idempotency-key": "x" * 256, "last-event-id": "none"}
LAST_EVENT = "9999999999999999999-0"
_KEY = re.compile(r"[!-~]([ -~]*[!-~])?")
_REGION = re.compile(r"\s*[0-9]{1,6}\s*(,\s*[0-9]{1,6}\s*){3}")


@cache
def picture(number: int) -> bytes:
    """One of a few pictures, of several formats, modes and sizes."""
    kind, mode, size = PLAIN[number % len(PLAIN)]
    return encode_image(smooth_image(*size).convert(mode), kind)


@cache
def holed(number: int) -> bytes:
    """One of a few pictures with a transparent square."""
    size = ((64, 64), (96, 80), (70, 120))[number % 3]
    image = smooth_image(*size).convert("RGBA")
    image.paste((0, 0, 0, 0), (20, 24, 36, 40))
    return encode_image(image, ("PNG", "WEBP")[number % 2])


@cache
def mask(number: int) -> bytes:
    """A mask for `picture` of the same number."""
    image = Image.new("L", size_of(picture(number)))
    image.paste(255, (20, 24, 36, 40))
    return encode_image(image)


@cache
def archive(number: int) -> bytes:
    """One of a few zips; the last has a picture that is none."""
    names = ("dog.png", "cats/cat.jpg")
    entries: dict[str, bytes | str] = {
        name: picture(index) if number % 3 < 2 else b"none" for index, name in enumerate(names)
    }
    rows = [{"file_name": name, "caption": CAPTION} for name in names]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    entries["metadata.jsonl"] = lines
    return zip_bytes(entries)


def size_of(image: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(image)) as opened:
        return opened.size


def fit(path: str, body: dict, *, positive: bool) -> dict:
    """A form with its pictures real, and with values that go with them.

    One in four negative forms keeps its pictures as they are made up: most are none.
    """
    number = crc32(repr(sorted(body.items(), key=str)).encode())
    fitted: dict[str, Any] = {name: _unwrap(value) for name, value in body.items()}
    if positive:
        _part(fitted)
    else:
        _keep_empty_wrong(fitted)
    _keep_wrong(path, fitted)
    if positive or number % 4:
        _put_pictures(path, fitted, number)
    if _is_text(fitted, "region") and _REGION.fullmatch(fitted["region"]):
        fitted["region"] = REGIONS[number % len(REGIONS)]
    if _is_text(fitted, "model") and len(fitted["model"]) <= 200:
        fitted["model"] = "stub"
    if _is_text(fitted, "webhook") and _is_address(fitted["webhook"]):
        fitted["webhook"] = "https://127.0.0.1:9/filled"  # nobody is there; the settings allow it
    if fitted.get("seed") in (FAILING_SEED, CRASHING_SEED):  # these make the stub model fail
        fitted["seed"] += 1
    return {name: _wrap(value) for name, value in fitted.items()}


def fit_headers(headers: Mapping[str, str], body: object, *, positive: bool) -> dict[str, str]:
    """Headers with a key for this body alone: with the key of another, a good form is refused."""
    fitted = {}
    for name, value in headers.items():
        if name.lower() == "idempotency-key" and _is_key(value):
            facts = hashlib.sha256(f"{value}{body!r}".encode()).hexdigest()
            fitted[name] = f"{value[:100].strip()}{facts}"
        if name.lower() in WRONG and not value and not positive:  # empty, it counts as absent
            fitted[name] = WRONG[name.lower()]
        # For schemathesis 4.32 a lone 0 fits the pattern of the document. Few generated ids are as
        # late as the end of a job, after which the answer is 204.
        if name.lower() == "last-event-id" and positive:
            late = crc32(value.encode("utf-8", "replace")) % 2
            fitted[name] = LAST_EVENT if late else "0-0" if value == "0" else value
    return fitted


def fit_path(parameters: Mapping[str, object], *, positive: bool) -> dict[str, object]:
    """The name of the one bundle there is, in half of the addresses that have a name of one."""
    name = parameters.get("model")
    known = positive and isinstance(name, str) and crc32(name.encode("utf-8", "replace")) % 2
    return {"model": "stub"} if known else {}


def _part(form: dict) -> None:
    """Keep one of two where one is allowed: put together, examples make what the schema forbids."""
    if "archive" in form:
        form.pop("image", None)
        form.pop("caption", None)
    else:
        form.pop("captions", None)
    if "image" in form:
        form.pop("image[]", None)
    if "mask" in form:  # examples put together
        form.pop("region", None)


def _keep_empty_wrong(form: dict) -> None:
    """Send an optional text that is empty twice: sent once, it counts as absent."""
    for name in form.keys() - {"image", "image[]", "mask", "archive", "caption", "prompt"}:
        if form[name] == "":
            form[name] = ["", ""]


def _keep_wrong(path: str, form: dict) -> None:
    """Keep wrong as it is sent what is wrong.

    Of an empty list nothing is sent, any value is a good text, and one of several a list of one.
    """
    for name, value in form.items():
        if value == []:
            form[name] = [picture(0) if name == "image" else CAPTION]
        elif name in _free(path) and not isinstance(value, str):
            form[name] = [*value, *value] if isinstance(value, list) else [value, value]
    if path != "/batches":
        return
    several = [form[name] for name in ("image", "caption") if name in form]
    lengths = {len(value) if isinstance(value, list) else 1 for value in several}
    lists = all(isinstance(value, list) for value in several)
    if len(several) == 2 and len(lengths) == 1 and not lists and "archive" not in form:
        del form["caption"]


def _free(path: str) -> set[str]:
    """Fields of a route that take any text; of a JPEG the quality is a number."""
    return set() if path == "/batches" else FREE - ({"quality"} if "/inpaint" in path else set())


def _put_pictures(path: str, form: dict, number: int) -> None:
    if path == "/batches":
        _put_batch(form, number)
        return
    make = holed if path == "/v1/images/edits" else picture
    for name in ("image", "image[]", "mask"):
        if isinstance(form.get(name), bytes):
            form[name] = mask(number) if name == "mask" and make is picture else make(number)
    if re.fullmatch("[0-9]{1,5}x[0-9]{1,5}", str(form.get("size", ""))):
        form["size"] = "{}x{}".format(*size_of(make(number)))


def _put_batch(form: dict, number: int) -> None:
    if isinstance(form.get("archive"), bytes):
        form["archive"] = archive(number)
    if _is_text(form, "captions"):
        form["captions"] = json.dumps({"dog.png": CAPTION, "cats/cat.jpg": CAPTION})
    if isinstance(form.get("mask"), bytes):
        form["mask"] = mask(number)
    captions, images = form.get("caption"), form.get("image")
    if isinstance(captions, list) and isinstance(images, list):
        form["image"] = [picture(number + index) for index in range(len(captions))]


def _is_text(form: dict, name: str) -> bool:
    return isinstance(form.get(name), str)


def _is_address(text: str) -> bool:
    plain = re.fullmatch(r"https?://[^\s\\]+", text) is not None
    return len(text) <= 2048 and plain and text.isprintable()


def _is_key(text: str) -> bool:
    return len(text) <= 255 and _KEY.fullmatch(text) is not None


def _unwrap(value: object) -> object:
    """Plain bytes, out of the wrappers that schemathesis puts them into."""
    if isinstance(value, list):
        return [_unwrap(one) for one in value]
    data = getattr(value, "data", value)
    return data if isinstance(data, bytes) else value


def _wrap(value: object) -> object:
    """As `_unwrap` found it: schemathesis takes plain bytes for what fits no schema."""
    if isinstance(value, list):
        return [_wrap(one) for one in value]
    return Binary(value) if isinstance(value, bytes) else value
