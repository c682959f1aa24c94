"""How the worker and its model process talk: JSON and raw bytes in one frame, never a pickle."""

import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from service.queue.task import WINDOW_BYTES, InferenceResult, InferenceTask, OutOfMemory


class TaskError(Exception):
    """The model could not do a piece of work; the reason is for the log."""


class DeviceFailure(Exception):  # noqa: N818 - it is what happened to the device
    """The device failed, and with it every later computation of the process."""


def pack(head: Any, blobs: Sequence[bytes] = ()) -> bytes:
    """A frame: the length of a JSON head, the head, and everything else behind it."""
    text = json.dumps(head).encode()
    return b"".join([len(text).to_bytes(4, "big"), text, *blobs])


def unpack(frame: bytes) -> tuple[Any, memoryview]:
    """The head of a frame, and what is behind it."""
    end = 4 + int.from_bytes(frame[:4], "big")
    return json.loads(frame[4:end]), memoryview(frame)[end:]


def pack_tasks(tasks: Sequence[InferenceTask]) -> bytes:
    """Pieces of work as a frame."""
    names = [field.name for field in fields(InferenceTask) if field.name != "window"]
    heads = [{name: getattr(task, name) for name in names} for task in tasks]
    return pack(heads, [task.window for task in tasks])


def unpack_tasks(frame: bytes) -> list[InferenceTask]:
    """The pieces of work that a frame was made of."""
    heads, rest = unpack(frame)
    windows = [bytes(rest[i : i + WINDOW_BYTES]) for i in range(0, len(rest), WINDOW_BYTES)]
    return [
        InferenceTask(window=window, **head) for head, window in zip(heads, windows, strict=True)
    ]


def pack_results(fills: Sequence[InferenceResult | Exception]) -> bytes:
    """Fills, or why there are none, as a frame."""
    return pack(
        [_head(fill) for fill in fills],
        [
            part
            for fill in fills
            if isinstance(fill, InferenceResult)
            for part in (fill.fills, fill.others)
        ],
    )


def pack_device_failure(reason: str) -> bytes:
    """A frame in the place of fills: the process ends, since its device is of no use to it."""
    return pack({"device": reason})


def unpack_results(frame: bytes) -> list[InferenceResult | Exception]:
    """What a frame of fills was made of; exceptions come back as `TaskError` or `OutOfMemory`.

    Raises:
        DeviceFailure: the frame tells of one.
    """
    heads, rest = unpack(frame)
    if isinstance(heads, dict):
        raise DeviceFailure(heads["device"])
    fills: list[InferenceResult | Exception] = []
    at = 0
    for head in heads:
        if "error" in head:
            kind = OutOfMemory if head["memory"] else TaskError
            fills.append(kind(head["error"]))
            continue
        sizes = head.pop("sizes")
        blobs = [bytes(rest[at : at + sizes[0]]), bytes(rest[at + sizes[0] : at + sum(sizes)])]
        at += sum(sizes)
        fills.append(InferenceResult(fills=blobs[0], others=blobs[1], **head))
    return fills


def _head(fill: InferenceResult | Exception) -> dict[str, Any]:
    if isinstance(fill, Exception):
        is_memory = isinstance(fill, OutOfMemory)
        return {"error": f"{type(fill).__name__}: {fill}", "memory": is_memory}
    facts = {key: value for key, value in asdict(fill).items() if not isinstance(value, bytes)}
    return {**facts, "sizes": [len(fill.fills), len(fill.others)]}
