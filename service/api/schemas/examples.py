"""An example of every JSON body, by the name of its model."""

import base64

from pydantic import BaseModel

from captionfill.errors import UnsupportedPicture
from service.api.schemas import bodies
from service.errors.catalogue import example
from service.queue.jobs import State

_JOB, _BATCH = "0" * 32, "1" * 32
_DIGEST = f"sha256:{'5e' * 32}"
# The first bytes of a PNG; a whole one would fill the page.
_PICTURE = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()

_STATUS = bodies.JobStatus(
    id=_JOB,
    state=State.QUEUED,
    position=1,
    estimate_seconds=0.5,
    created=1_900_000_000.0,
    deadline=1_900_003_600.0,
    reason=None,
    links=bodies.JobLinks(
        self=f"/jobs/{_JOB}",
        result=f"/jobs/{_JOB}/result",
        events=f"/jobs/{_JOB}/events",
        event_source=f"/jobs/{_JOB}/events?token=1900000600.{'2a' * 32}",
    ),
)
_ANSWER = bodies.InpaintAnswer(
    job_id=_JOB,
    seeds=[7, 8],
    images=[_PICTURE, _PICTURE],
    scores=[0.31, 0.28],
    comparison=bodies.Comparison(images=[_PICTURE, _PICTURE], levels=[12.5, 9.75]),
    caption_truncated=False,
    caption_unknown=False,
    model="default",
    bundle=_DIGEST,
    engine="openvino-bf16",
    queue_ms=1.2,
    inference_ms=8.5,
    batch_size=4,
    notes=["the colour profile was dropped: it is for CMYK colour, not RGB"],
    region=[16, 16, 32, 32],
    window=[0.0, 0.0, 64],
    windows=[[0.0, 0.0, 64]],
)
_REFUSED = example(UnsupportedPicture)
_BATCH_STATUS = bodies.BatchStatus(
    id=_BATCH,
    state="done",
    total=2,
    counts={"done": 1, "refused": 1},
    items=[
        bodies.BatchItem(index=1, name="dog.jpg", state=State.DONE, job_id=_JOB, problem=None),
        bodies.BatchItem(
            index=2,
            name="notes.txt",
            state="refused",
            job_id=None,
            problem=bodies.Problem(**_REFUSED),
        ),
    ],
    links=bodies.BatchLinks(self=f"/batches/{_BATCH}", result=f"/batches/{_BATCH}/result"),
)
_MODEL = bodies.Model(
    id="default", digest=_DIGEST, default=True, workers=2, engines=["openvino-bf16"]
)
_MODELS = bodies.ModelList(data=[_MODEL])
_RELOAD = bodies.Reload(
    generation=3,
    state="done",
    done=True,
    workers=[
        bodies.ReloadedWorker(
            worker="host-1", generation=3, error=None, models={"default": _DIGEST}
        )
    ],
)
_IMAGES = bodies.ImagesResponse(
    created=1_900_000_000,
    data=[bodies.EditedImage(b64_json=_PICTURE)],
    size="640x480",
)

EXAMPLES: dict[str, BaseModel] = {
    type(example).__name__: example
    for example in (
        _STATUS,
        _ANSWER,
        _BATCH_STATUS,
        _MODEL,
        _MODELS,
        _RELOAD,
        _IMAGES,
        bodies.Health(),
        bodies.Readiness(
            bundle=_DIGEST, engine="openvino-bf16", workers=2, unhealthy=[], warnings=[]
        ),
    )
}
