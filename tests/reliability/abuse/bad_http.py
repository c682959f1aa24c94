"""Broken HTTP: malformed headers, slow clients, early disconnects, wrong lengths."""

import asyncio
import io
import json
import random
import stat
import zipfile
from collections.abc import Awaitable, Callable

from tests.reliability.harness.raw_http import (
    FORM,
    ConnectionClosedError,
    Fields,
    RawClient,
    RawConnection,
    RawResponse,
    WrongResponseError,
    multipart_form,
)
from tests.reliability.harness.sample_images import SampleImage, draw_sample
from tests.reliability.harness.valid_requests import CAPTION, require

# Beyond the service's own patience: what is still open then was forgotten.
_GRACE = 30.0
CLOSED = 0


async def garbage(client: RawClient, rng: random.Random, _: SampleImage) -> None:
    """Bytes that are no HTTP, of another protocol, or of another version."""
    noise = rng.randbytes(rng.randint(1, 4000))
    sent = rng.choice([
        noise, noise + b"\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + noise,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET /\r\n\r\n", b"\0" * 999,
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"\r\n" * 500,
        b"get\t/ HTTP/1.1\r\nHost: x\r\n\r\n", b"SSH-2.0-OpenSSH_9.6\r\n", b"*1\r\n$4\r\nPING\r\n",
    ])  # fmt: skip
    await _expect(client, sent, (400, 408, 431, CLOSED))


async def broken_headers(client: RawClient, rng: random.Random, _: SampleImage) -> None:
    """Headers with spaces, folds, control bytes, or two lengths: the stuff of request smuggling."""
    header = rng.choice([
        b"Content-Length : 5", b"Content-Length: 5\r\nContent-Length: 6", b"X: a\0b", b": x",
        b"Transfer-Encoding: xchunked", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        b"Content-Length: -1", b"Content-Length: 0x10", b"Content-Length: 1e3", b"no colon",
        b"Content-Length: +5", "X-\u00e9: 1".encode(), b"Transfer-Encoding: gzip",
    ])  # fmt: skip
    head = b"POST /inpaint HTTP/1.1\r\nHost: localhost\r\n" + header + b"\r\n\r\nhello"
    await _expect(client, head, (400, 501))


async def header_flood(client: RawClient, rng: random.Random, _: SampleImage) -> None:
    """More headers, or longer ones, than anybody needs."""
    lines = rng.choice([
        b"".join(b"X-%d: %d\r\n" % (i, i) for i in range(20_000)),
        b"X: " + b"a" * 2_000_000 + b"\r\n", b"X: " + b"a" * 40_000 + b"\r\n",
        b"Cookie: " + b"a=b; " * 20_000 + b"\r\n",
    ])  # fmt: skip
    path = rng.choice([b"/healthz", b"/" + b"a" * 40_000])
    await _expect(
        client, b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\n" + lines + b"\r\n", (431,)
    )


async def slow_headers(client: RawClient, rng: random.Random, _: SampleImage) -> None:
    """A byte now and then: the connection must end, with 408 or without."""
    line = await client.open()
    request = client.request("GET", "/healthz", headers={"X-Slow": "a" * 4000})
    reply = await _dribble(line, [request[i : i + 1] for i in range(400)], rng.uniform(0.1, 0.4))
    require(reply is None or reply.status == 408, f"408, not {reply and reply.status}")


async def slow_body(client: RawClient, rng: random.Random, good: SampleImage) -> None:
    """A body that never comes to its end."""
    line = await client.open()
    body = multipart_form([("image", good.data), ("caption", CAPTION)])
    path = rng.choice(["/inpaint", "/v1/images/edits"])
    head = client.request("POST", path, headers={"Content-Type": FORM, **_length(len(body))})
    # An edit may be twice as large, and so take twice the time.
    pieces = [head, *(body[i : i + 2] for i in range(0, 400, 2))]
    reply = await _dribble(line, pieces, rng.uniform(0.1, 0.3))
    require(reply is not None and reply.status == 408, f"408, not {reply and reply.status}")


async def slow_reader(client: RawClient, rng: random.Random, _: SampleImage) -> None:
    """An answer of megabytes, of which little or nothing is taken on, until one side gives up."""
    line = await client.open(receive_buffer=4096)
    large = _large()
    fields: Fields = [
        ("image", large.data),
        ("caption", CAPTION),
        ("n", "8"),
        ("seed", str(rng.getrandbits(31))),
    ]
    body = multipart_form(fields)
    await line.send(client.request("POST", "/inpaint", body, {"Content-Type": FORM}))
    if rng.random() < 0.5:
        async with asyncio.timeout(client.seconds):
            await line.reader.read(100)
        for _turn in range(20):
            await asyncio.sleep(0.05)
            await line.reader.read(100)
        line.cut()
        return
    await asyncio.sleep(rng.uniform(1, 8))
    line.close()


async def early_leaver(client: RawClient, rng: random.Random, good: SampleImage) -> None:
    """Gone in the middle of the headers, of the body, or before the answer."""
    line = await client.open()
    body = multipart_form(
        [("image", good.data), ("caption", CAPTION), ("seed", str(rng.getrandbits(31)))]
    )
    path = rng.choice(["/inpaint", "/v1/images/edits", "/batches"])
    whole = client.request("POST", path, body, {"Content-Type": FORM})
    await line.send(whole[: rng.choice((10, 60, 200, len(whole) // 2, len(whole) - 1, len(whole)))])
    await asyncio.sleep(rng.choice((0, 0, 0.005, 0.05)))
    rng.choice((line.cut, line.close, line.finish))()
    line.close()


async def huge_length(client: RawClient, rng: random.Random, _: SampleImage) -> None:
    """A length that nobody will ever send."""
    length = rng.choice(["999999999999", "9" * 30, "9223372036854775808", "300000000"])
    head = client.request(
        "POST", "/inpaint", headers={"Content-Type": FORM, "Content-Length": length}
    )
    await _expect(client, head + b"--", (400, 413))


async def wrong_length(client: RawClient, rng: random.Random, good: SampleImage) -> None:
    """A length that is too small, so that a body's rest is no request; or too large."""
    body = multipart_form([("image", good.data), ("caption", CAPTION)])
    wrong = len(body) + rng.choice([-len(body) // 2, -10, 10, 5000])
    head = client.request("POST", "/inpaint", headers={"Content-Type": FORM, **_length(wrong)})
    await _expect(client, head + body, (400, CLOSED), finish=wrong > len(body))


async def chunk_lies(client: RawClient, rng: random.Random, good: SampleImage) -> None:
    """Chunks with wrong sizes, without end, or with a length besides."""
    body = multipart_form([("image", good.data), ("caption", CAPTION)])
    headers = {"Content-Type": FORM, "Transfer-Encoding": "chunked"}
    sent, more = rng.choice([
        (b"zz\r\nhello\r\n0\r\n\r\n", {}), (b"-5\r\nhello\r\n0\r\n\r\n", {}),
        (b"5\r\nhello world\r\n0\r\n\r\n", {}), (b"f" * 40 + b"\r\nx\r\n", {}),
        (b"%x\r\n%s\r\n" % (len(body), body), {}), (b"0\r\n\r\n", {}),
        (b"5;" + b"e" * 70_000 + b"\r\nhello\r\n0\r\n\r\n", {}),
        (b"ffffffffffffffff\r\nhello", {}), (b"5\r\nhello\r\n0\r\n\r\n", {"Content-Length": "5"}),
    ])  # fmt: skip
    length = {} if more else {"Content-Length": None}
    own = {**headers, **more, **length}
    lines = [f"{name}: {value}" for name, value in own.items() if value is not None]
    head = f"POST /inpaint HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {client.key}\r\n"
    whole = (head + "\r\n".join(lines) + "\r\n\r\n").encode() + sent
    await _expect(client, whole, (400, 413, CLOSED), finish=True)


async def pipelined(client: RawClient, rng: random.Random, _: SampleImage) -> None:
    """Many requests in one piece, good and bad: answered in their order, each for itself."""
    asked = [
        rng.choice([("/healthz", 200), ("/none", 404), ("/jobs/none", 404)]) for _ in range(12)
    ]
    line = await client.open()
    await line.send(b"".join(client.request("GET", path) for path, _ in asked))
    async with asyncio.timeout(client.seconds):
        statuses = [(await line.reply()).status for _ in asked]
    line.close()
    require(statuses == [status for _, status in asked], f"answers in order, not {statuses}")


async def hostile_names(client: RawClient, rng: random.Random, good: SampleImage) -> None:
    """A zip with names that lead elsewhere, links, and twins: the one good picture is taken."""
    names = [
        "../../evil.png", "/etc/evil.png", "C:\\evil.png", "a/../../evil.png", "..\\evil.png",
        "e\nvil.png", "\u202eevil.png", "x" * 300 + ".png", "link.png", "twin.png",
    ]  # fmt: skip
    body = multipart_form(
        [("archive", _archive(names, good.data)), ("captions", _captions([*names, "ok.png"]))]
    )
    reply = await client.ask("POST", "/batches", body, {"Content-Type": FORM})
    require(reply.status == 202, f"202, not {reply.status} {reply.slug}")
    states = {item["name"]: item["state"] for item in reply.json()["items"]}
    require(states.pop("ok.png") != "refused", "the good picture to be taken")
    require(set(states.values()) == {"refused"}, f"the others to be refused: {states}")


async def _expect(
    client: RawClient, sent: bytes, statuses: tuple[int, ...], *, finish: bool = False
) -> None:
    """Send bytes: the first answer has one of the statuses, and then the connection ends."""
    line = await client.open()
    await line.send(sent)
    if finish:
        line.finish()
    try:
        async with asyncio.timeout(_GRACE):
            reply = await line.reply()
        require(reply.status in statuses, f"{statuses}, not {reply.status} {reply.slug}")
    except ConnectionClosedError:
        require(CLOSED in statuses, f"{statuses}, not a closed connection")
    except TimeoutError as error:
        raise WrongResponseError("neither answer nor end") from error
    finally:
        line.close()


async def _dribble(line: RawConnection, pieces: list[bytes], pause: float) -> RawResponse | None:
    """Send pieces with pauses until an answer comes; None where the connection just ends."""
    answer = asyncio.ensure_future(line.reply())
    try:
        async with asyncio.timeout(_GRACE):
            for piece in pieces:
                await line.send(piece)
                await asyncio.wait({answer}, timeout=pause)
                if answer.done():
                    break
            return await answer
    except ConnectionClosedError:
        return None
    except TimeoutError as error:
        raise WrongResponseError("a client that dawdles was never given up") from error
    finally:
        answer.cancel()
        line.close()


def _length(size: int) -> dict[str, str]:
    return {"Content-Length": str(size)}


def _captions(names: list[str]) -> str:
    return json.dumps(dict.fromkeys(names, CAPTION))


def _archive(names: list[str], data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in [*names[:-2], "ok.png"]:
            archive.writestr(name, data)
        link = zipfile.ZipInfo("link.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, b"/etc/passwd")
        archive.writestr("twin.png", data)
        archive.writestr("Twin.png", data)
    raw = out.getvalue()
    return raw.replace(b"Twin.png", b"twin.png")


_LARGE: list[SampleImage] = []


def _large() -> SampleImage:
    """Noise, which no PNG makes small: eight candidates are several megabytes."""
    if not _LARGE:
        _LARGE.append(draw_sample("large", "RGB", (320, 240), 11, format="JPEG", quality=80))
    return _LARGE[0]


WIRE: dict[str, Callable[[RawClient, random.Random, SampleImage], Awaitable[None]]] = {
    act.__name__: act
    for act in (
        garbage, broken_headers, header_flood, slow_headers, slow_body, slow_reader, early_leaver,
        huge_length, wrong_length, chunk_lies, pipelined, hostile_names,
    )
}  # fmt: skip
# These take seconds and no work: they are let run beside the others.
SLOW = ("slow_headers", "slow_body", "slow_reader", "garbage")
