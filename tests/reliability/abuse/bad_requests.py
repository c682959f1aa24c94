"""Requests that must be refused: broken forms, wrong types, decompression bombs, wrong keys."""

import json
import random
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import quote

from service.errors.catalogue import catalogue
from tests.helpers.archives import zip_bytes
from tests.helpers.image_files import png_chunk, png_file
from tests.reliability.harness.raw_http import BOUNDARY, FORM, Fields, RawClient, multipart_form
from tests.reliability.harness.sample_images import SampleImage
from tests.reliability.harness.valid_requests import CAPTION, require


@dataclass(frozen=True)
class BadRequest:
    """A request, and the statuses it may be answered with."""

    path: str
    body: bytes
    statuses: tuple[int, ...]
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"

    async def send(self, client: RawClient) -> None:
        """Send it; the answer has a status foreseen and is, but for 200, a documented problem."""
        headers = {"Content-Type": FORM, **self.headers} if self.body else self.headers
        reply = await client.ask(self.method, self.path, self.body, headers)
        require(reply.status in self.statuses, f"{self.statuses}, not {reply.status} {reply.slug}")
        if reply.status == 200:
            return
        kind = catalogue().get(reply.slug)
        require(
            kind is not None and kind.status == reply.status, f"a known problem: {reply.slug!r}"
        )


def broken_form(rng: random.Random, good: SampleImage) -> BadRequest:
    """A form that is cut, has no name, no boundary, too many parts, or none."""
    whole = multipart_form([("image", good.data), ("caption", CAPTION)])
    body = rng.choice([
        whole[: rng.randrange(1, len(whole) - 8)],
        whole.replace(b'name="caption"', b'nome="caption"'),
        whole.replace(BOUNDARY.encode(), b"another"),
        multipart_form([(f"f{i}", "x") for i in range(2000)]),
        b"--" + BOUNDARY.encode() + b"--\r\n",
        rng.randbytes(rng.randint(1, 5000)),
        whole.replace(b"Content-Disposition", b"X" * 20_000),
    ])  # fmt: skip
    return BadRequest("/inpaint", body, (400, 413, 422))


def wrong_body_type(rng: random.Random, good: SampleImage) -> BadRequest:
    """A body that is no form."""
    kind, body = rng.choice([
        ("application/json", json.dumps({"image": "x", "caption": CAPTION}).encode()),
        ("application/x-www-form-urlencoded", b"caption=cat"),
        ("multipart/form-data", b"no boundary"),
        ("multipart/mixed; boundary=x", b"--x--"),
        ("image/png", good.data),
        ("\x7f;;=", b"x"),
        (f"multipart/form-data; boundary={'b' * 500}", b"x"),
    ])  # fmt: skip
    path = rng.choice(["/inpaint", "/inpaint/json", "/batches", "/v1/images/edits"])
    return BadRequest(path, body, (415,), {"Content-Type": kind})


def wrong_field(rng: random.Random, good: SampleImage) -> BadRequest:
    """A field of a wrong type, out of range, unknown, or there twice."""
    extras: Fields = [
        ("seed", "seven"), ("seed", "-2"), ("seed", "4294967296"), ("seed", "1e3"), ("seed", "٣"),
        ("n", "0"), ("n", "9"), ("n", "9" * 4000), ("region", "0,0,inf,inf"), ("region", "1,1,3,9"),
        ("region", "-8,-8,16,16"), ("region", "0,0,99999999999,8"), ("region", "60,60,900,16"),
        ("exec", "rm -rf"), ("caption", "twice"), ("image", b"twice"), ("model", "../../etc"),
        ("model", "none such"), ("compare", "\x00"), ("compare", " "), ("webhook", "ftp://x"),
        ("webhook", "http://127.0.0.1/"), ("__proto__", "x"), ("seed", b"\xff\xfe"),
    ]  # fmt: skip
    extra = rng.choice(extras)
    fields: Fields = [("image", good.data), ("caption", CAPTION), extra]
    return BadRequest("/inpaint", multipart_form(fields), (422,))


def wrong_caption(rng: random.Random, good: SampleImage) -> BadRequest:
    captions: list[str | bytes] = [
        " \n", "a\0b", "\x1b[31m", "cat " * 3000, b"\xff\xfe\xfd", "é" * 1001,
    ]  # fmt: skip
    fields: Fields = [("image", good.data), ("caption", rng.choice(captions))]
    return BadRequest("/inpaint", multipart_form(fields), (422,))


def wrong_picture(rng: random.Random, good: SampleImage) -> BadRequest:
    """A picture that is cut, broken, of another kind, or none at all."""
    image = rng.choice([
        b"", good.data[: len(good.data) // 2], rng.randbytes(3000), b"GIF89a" + bytes(900),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.7\n", b"\x89PNG\r\n\x1a\n",
        png_file(64, 64, depth=16, rows=b""), png_file(0, 0, rows=b""),
        png_file(1, 1, rows=bytes(4)), b"RIFF\xff\xff\xff\xffWEBPVP8 \xff\xff\xff\xff",
        png_file(2**31 + 5, 64, rows=b""), png_file(64, 64, rows=b""),
    ])  # fmt: skip
    return BadRequest(
        "/inpaint", multipart_form([("image", image), ("caption", CAPTION)]), (413, 415, 422)
    )


def picture_bomb(rng: random.Random, _: SampleImage) -> BadRequest:
    """A small file that would unpack to hundreds of megabytes, in pixels or in what is skipped."""
    image, statuses = rng.choice(_bombs())
    return BadRequest(
        "/inpaint", multipart_form([("image", image), ("caption", CAPTION)]), statuses
    )


def archive_bomb(rng: random.Random, _: SampleImage) -> BadRequest:
    """A zip that unpacks to far more than it is, has too many entries, or lies about its size."""
    body = multipart_form([("archive", rng.choice(_archive_bombs()))])
    return BadRequest("/batches", body, (413, 422))


def wrong_archive(rng: random.Random, good: SampleImage) -> BadRequest:
    """A zip that is cut, has no captions, or none that can be read."""
    whole = zip_bytes(
        {"a.png": good.data, "metadata.jsonl": b'{"file_name": "a.png", "caption": "a"}'}
    )
    archive = rng.choice([
        b"", whole[: len(whole) // 2], rng.randbytes(2000), b"PK\x05\x06" + bytes(18),
        zip_bytes({"a.png": good.data}),
        zip_bytes({"metadata.jsonl": b"[" * 100_000, "a.png": b"x"}),
        zip_bytes({"metadata.jsonl": b"{}\n", "a.png": b"x"}),
        zip_bytes({"metadata.csv": b"\xff\xfe\0"}),
        zip_bytes({"metadata.jsonl": b'{"file_name": 1}'}), zip_bytes({}),
    ])  # fmt: skip
    return BadRequest("/batches", multipart_form([("archive", archive)]), (422,))


def wrong_edit(rng: random.Random, good: SampleImage) -> BadRequest:
    """An edit without a mask, with a wrong one, or with what this service has not."""
    fields: Fields = [("image", good.data), ("prompt", CAPTION)]
    mask = rng.choice(
        [b"no picture", png_file(64, 64, rows=(b"\0" + bytes(192)) * 64), good.data[:90]]
    )
    fields += rng.choice([
        [("mask", mask)], [("mask", mask), ("response_format", "url")], [("n", "99")],
        [("image", good.data)], [("mask", mask), ("size", "1x1")], [("stream", "true")],
    ])  # fmt: skip
    return BadRequest("/v1/images/edits", multipart_form(fields), (415, 422))


def wrong_key(rng: random.Random, good: SampleImage) -> BadRequest:
    """No key, a wrong one, a long one, one in a wrong place, one with bytes that are no text."""
    body = multipart_form([("image", good.data), ("caption", CAPTION)])
    headers = rng.choice([
        {"X-API-Key": ""}, {"X-API-Key": "cf_" + "A" * 43}, {"X-API-Key": "x" * 8000},
        {"X-API-Key": "", "Authorization": "Bearer "}, {"X-API-Key": "é\xff"},
        {"X-API-Key": "", "Authorization": "Basic Y2Y6Y2Y="}, {"X-API-Key": "' OR 1=1 --"},
    ])  # fmt: skip
    path = rng.choice(
        ["/inpaint", "/inpaint/json", "/batches", "/v1/images/edits", "/admin/reload"]
    )
    return BadRequest(path, body, (401,), {"Content-Type": FORM, **headers})


def wrong_token(rng: random.Random, _: SampleImage) -> BadRequest:
    """A signed address of events: forged, expired, malformed, sent twice, for another route."""
    job, sign = f"{rng.getrandbits(128):032x}", f"{rng.getrandbits(256):064x}"
    token = rng.choice([
        f"9999999999.{sign}", f"1000000000.{sign}", f"-1.{sign}", f"{'9' * 4000}.{sign}", sign,
        f"9999999999.{sign}&token=9999999999.{sign}", "%00", "%ff%fe.%ff", "é" * 9, ".", "",
    ])  # fmt: skip
    path = rng.choice([f"/jobs/{job}/events", f"/jobs/{job}", f"/jobs/{job}/result/json"])
    query = quote(token, safe="%&=")
    return BadRequest(f"{path}?token={query}", b"", (401,), {"X-API-Key": ""}, method="GET")


def not_admin(rng: random.Random, _: SampleImage) -> BadRequest:
    return BadRequest("/admin/reload", b"", (403,), method=rng.choice(["GET", "POST"]))


def wrong_header(rng: random.Random, good: SampleImage) -> BadRequest:
    """A header that cannot be used, or a website's script."""
    headers, statuses = rng.choice([
        ({"Idempotency-Key": "k" * 300}, (400,)), ({"Idempotency-Key": "\xe9"}, (400,)),
        ({"Prefer": "wait=soon"}, (400,)), ({"Accept": "text/html"}, (406,)),
        ({"Origin": "https://evil.example"}, (403,)), ({"Origin": "null"}, (403,)),
    ])  # fmt: skip
    return BadRequest(
        "/inpaint", multipart_form([("image", good.data), ("caption", CAPTION)]), statuses,
        {"Content-Type": FORM, **headers},
    )  # fmt: skip


def nothing_there(rng: random.Random, _: SampleImage) -> BadRequest:
    """An address where there is nothing, or nothing for that method."""
    names = [
        "0" * 32,
        "..%2f..%2fetc%2fpasswd",
        "%00",
        "%0d%0aX-Evil:1",
        "a" * 5000,
        "%F0%9F%90%88",
    ]
    paths = [
        f"{base}/{rng.choice(names)}{end}"
        for base, end in (("/jobs", ""), ("/jobs", "/result"), ("/jobs", "/events"))
    ]
    paths += [f"/batches/{rng.choice(names)}", f"/problems/{rng.choice(names)}"]
    paths += [f"/page/{name}" for name in ("../app.py", "%2e%2e%2fapp.py", "a" * 5000 + ".js")]
    paths += [f"/{base}/{rng.choice(names)}" for base in ("page", "docs")]
    paths += ["/../../etc/passwd", "//", "/.git/config", "/inpaint/../admin", "/docs/../x", "/%"]
    method = rng.choice(["GET", "DELETE", "PUT", "PATCH", "TRACE", "BREW"])
    return BadRequest(rng.choice(paths), b"", (400, 404, 405), method=method)


def prepare() -> None:
    """Make the bombs: that takes seconds, in which nothing else could be sent."""
    _bombs()
    _archive_bombs()


@cache
def _bombs() -> list[tuple[bytes, tuple[int, ...]]]:
    plain = (b"\0" + bytes(192)) * 64
    much = zlib.compress(bytes(200_000_000), 1)
    return [
        (png_file(50_000, 50_000, rows=bytes(1_000_000)), (413, 415)),
        (png_file(8000, 8000, rows=bytes(192_008_000)), (413, 415)),
        (png_file(64, 64, rows=plain, extra=png_chunk(b"zTXt", b"bomb\0\0" + much)), (200,)),
        (png_file(64, 64, rows=plain, extra=png_chunk(b"iCCP", b"bomb\0\0" + much)), (200,)),
    ]


@cache
def _archive_bombs() -> list[bytes]:
    row = b'{"file_name": "a.png", "caption": "a cat"}\n'
    return [
        zip_bytes({"metadata.jsonl": row * 1_000_000}, zipfile.ZIP_DEFLATED, level=1),
        zip_bytes({"metadata.jsonl": row, **{f"{i}.png": b"x" for i in range(2000)}}),
        zip_bytes(
            {"metadata.jsonl": row * 40, "a.png": bytes(9 * 2**20)}, zipfile.ZIP_DEFLATED, level=1
        ),
        zip_bytes({"metadata.jsonl": row}) * 2000,
    ]


FORMS: dict[str, Callable[[random.Random, SampleImage], BadRequest]] = {
    make.__name__: make
    for make in (
        broken_form, wrong_body_type, wrong_field, wrong_caption, wrong_picture, picture_bomb,
        archive_bomb, wrong_archive, wrong_edit, wrong_key, wrong_token, not_admin, wrong_header,
        nothing_there,
    )
}  # fmt: skip
