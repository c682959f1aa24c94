"""OpenAPI descriptions of responses: headers, links and content that is not a JSON model.

FastAPI describes JSON bodies from models only, so these are written by hand.
"""

from typing import Any

from captionfill.imaging.encoder import JPEG, PNG, WEBP
from service.api.forms.headers import EVENT_ID, JSON
from service.api.schemas.bodies import InpaintAnswer, JobStatus
from service.queue.jobs import State

EVENT_STREAM = "text/event-stream"
ZIP = "application/zip"
BINARY = {"schema": {"type": "string", "format": "binary"}}
_ETAG = f'"{"1f" * 32}"'


def header(
    description: str, example: Any, kind: str = "string", *, always: bool = True
) -> dict[str, Any]:
    """A response header; ``always``: every such response has it."""
    return {
        "schema": {"type": kind},
        "description": description,
        "required": always,
        "example": example,
    }


def _links(name: str, *operations: str) -> dict[str, Any]:
    """Links to operations whose path parameter is the response's `id`."""
    parameters = {name: "$response.body#/id"}
    return {
        operation.removeprefix(f"{name}_").removesuffix(f"_{name}"): {
            "operationId": operation,
            "parameters": parameters,
        }
        for operation in operations
    }


CAPTION_HEADERS = {
    "X-Caption-Truncated": header("whether the end of a caption was cut off", False, "boolean"),
    "X-Caption-Unknown": header("whether the encoder knows no word of a caption", False, "boolean"),
}
RESULT: dict[str, Any] = {
    "model": InpaintAnswer,
    "description": "The filled picture at the size of the upload.",
    "headers": {
        "ETag": header("identifies the result", _ETAG),
        "X-Job-Id": header("id of the job", "0" * 32),
        "X-Seed": header("seed of the first candidate", 7, "integer"),
        "X-Model": header("name of the bundle", "default"),
        "X-Bundle-Digest": header("digest of the bundle", f"sha256:{'5e' * 32}"),
        "X-Engine": header("inference engine; another engine gives other bits", "openvino-bf16"),
        "X-Queue-Ms": header("time in the queue, in milliseconds", 1.2, "number"),
        "X-Inference-Ms": header(
            "inference time of the whole batch, in milliseconds", 8.5, "number"
        ),
        "X-Batch-Size": header("images in the batch", 1, "integer"),
        **CAPTION_HEADERS,
        "X-Notes": header(
            "what was dropped from the upload",
            "the colour profile was dropped: it is damaged",
            always=False,
        ),
    },
    "content": {PNG: BINARY, JSON: {}, WEBP: BINARY, JPEG: BINARY},
}
RESULT_JSON = {**RESULT, "description": "The filled pictures as base64.", "content": {JSON: {}}}
JOB_ACCEPTED: dict[str, Any] = {
    "model": JobStatus,
    "description": "The job was accepted; fetch its result later.",
    "headers": {
        "Location": header("the job", f"/jobs/{'0' * 32}"),
        "Retry-After": header("seconds to wait before a request for its status", 1, "integer"),
        "Preference-Applied": header(
            "respond-async, if it was preferred", "respond-async", always=False
        ),
    },
    "links": _links("job", "job_status", "job_result", "job_events", "cancel_job"),
}
NOT_MODIFIED: dict[str, Any] = {
    "description": "The client already has this result; nothing was queued.",
    "headers": {"ETag": header("of the result", _ETAG)},
}
# `itemSchema` is part of OpenAPI 3.2; FastAPI and others already accept it in 3.1.
EVENTS: dict[str, Any] = {
    "description": "Server-sent events; the data of each is a JobStatus.",
    "content": {
        EVENT_STREAM: {
            "itemSchema": {
                "type": "object",
                "required": ["event", "data"],
                "properties": {
                    "id": {"type": "string", "pattern": EVENT_ID},
                    "event": {"type": "string", "enum": [*State, "progress"]},
                    "data": {
                        "type": "string",
                        "contentMediaType": JSON,
                        "contentSchema": {"$ref": "#/components/schemas/JobStatus"},
                    },
                },
            }
        }
    },
}
NO_EVENTS: dict[str, Any] = {
    "description": "The job has ended, and `Last-Event-ID` is its last event: do not reconnect."
}
BATCH_ACCEPTED: dict[str, Any] = {
    "description": "The batch was accepted, even if some of its pictures were refused.",
    "headers": {
        "Location": header("the batch", f"/batches/{'0' * 32}"),
        "Retry-After": header("seconds to wait before a request for its status", 1, "integer"),
    },
    "links": _links("batch", "batch_status", "batch_result", "cancel_batch"),
}
BATCH_RESULT: dict[str, Any] = {
    "description": "A zip: a PNG for each picture that is done, and results.jsonl, with one "
    "ResultLine for each picture of the upload.",
    "headers": {"Content-Disposition": header("a file name", 'attachment; filename="batch.zip"')},
    "content": {ZIP: BINARY},
}
IMAGES: dict[str, Any] = {"headers": CAPTION_HEADERS}
