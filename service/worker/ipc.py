"""Messages between the worker and its model process: JSON and raw bytes, never pickle.

A frame is the length of a JSON head in 4 bytes, the head, and raw bytes.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from service.queue.task import WINDOW_BYTES, InferenceResult, InferenceTask, OutOfMemory


class TaskError(Exception):
    """A task failed in the model process; the reason is for the log."""


class DeviceFailure(Exception):  # noqa: N818 - it is what happened to the device
    """The device failed; every later computation of the process would fail too."""


def pack(head: Any, blobs: Sequence[bytes] = ()) -> bytes:
    """Return a frame of a JSON head and raw bytes."""
    text = json.dumps(head).encode()
    return b"".join([len(text).to_bytes(4, "big"), text, *blobs])


def unpack(frame: bytes) -> tuple[Any, memoryview]:
    """Return the head of a frame, and the raw bytes after it."""
    end = 4 + int.from_bytes(frame[:4], "big")
    return json.loads(frame[4:end]), memoryview(frame)[end:]


def pack_tasks(tasks: Sequence[InferenceTask]) -> bytes:
    """Return tasks as a frame."""
    names = [field.name for field in fields(InferenceTask) if field.name != "window"]
    heads = [{name: getattr(task, name) for name in names} for task in tasks]
    return pack(heads, [task.window for task in tasks])


def unpack_tasks(frame: bytes) -> list[InferenceTask]:
    """Return the tasks of a frame."""
    heads, rest = unpack(frame)
    windows = [bytes(rest[i : i + WINDOW_BYTES]) for i in range(0, len(rest), WINDOW_BYTES)]
    return [
        InferenceTask(window=window, **head) for head, window in zip(heads, windows, strict=True)
    ]


def pack_results(fills: Sequence[InferenceResult | Exception]) -> bytes:
    """Return results and exceptions as a frame."""
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
    """Return a frame that reports a device failure in place of results."""
    return pack({"device": reason})


def unpack_results(frame: bytes) -> list[InferenceResult | Exception]:
    """Return the results of a frame; exceptions become `TaskError` or `OutOfMemory`.

    Raises:
        DeviceFailure: the frame reports one.
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
