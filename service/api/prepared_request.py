"""A request that is ready for the queue: decoded, checked, and hashed."""

import json
import secrets
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple

from captionfill.imaging.canvas import Canvas, Region
from service.api.forms.form import InpaintRequest
from service.queue.jobs import IdempotencyKey
from service.queue.task import SEEDS, InferenceTask


class JobOrigin(NamedTuple):
    """The HTTP request behind a job: its owner alone may see it, its account is charged for it."""

    owner: str
    account: str = "local"
    request_id: str = ""
    traceparent: str = ""


@dataclass(frozen=True)
class PreparedRequest:
    """A request with its decoded picture and its task for the model.

    Attributes:
        key: the client's Idempotency-Key, or empty.
        digest: SHA-256 over everything that decides the result except model and seed.
    """

    request: InpaintRequest
    origin: JobOrigin
    key: str
    canvas: Canvas
    task: InferenceTask
    digest: str

    @property
    def name(self) -> str:
        """The digest and the seed; with a model version it identifies the result."""
        return f"{self.digest}-{self.task.seed}"

    @property
    def meta(self) -> dict[str, Any]:
        """What a job stores, beside the picture, to composite its result."""
        stored = {"region": self.canvas.region, "name": self.name}
        notes = self.canvas.picture.notes
        return {**stored, "notes": notes} if notes else stored

    @property
    def idempotency(self) -> IdempotencyKey | None:
        """The owner's Idempotency-Key with a hash of the request; None without a key."""
        if not self.key:
            return None
        request = self.request
        payload = json.dumps([self.digest, request.seed, request.model, request.webhook])
        scoped = f"{self.origin.owner}\n{self.key}"
        return IdempotencyKey(*(sha256(text.encode()).hexdigest() for text in (scoped, payload)))


def compute_digest(request: InpaintRequest, region: Region, mask: bytes | None) -> str:
    """SHA-256 over the picture, the mask, the region, the captions and the options.

    This is the only hash of the picture: the ETag, the Idempotency-Key and a derived seed use it.
    """
    facts = [
        sha256(request.image).hexdigest(),
        None if mask is None else sha256(mask).hexdigest(),
        region,
        request.caption,
        request.compare,
        request.n,
        request.temperature,
    ]
    return sha256(json.dumps(facts).encode()).hexdigest()


def choose_seed(given: int | None, key: str, digest: str) -> int:
    """The client's seed; else one derived from its Idempotency-Key; else a random one."""
    if given is not None:
        return given
    if not key:
        return secrets.randbelow(SEEDS)
    return int.from_bytes(sha256(f"{key}\n{digest}".encode()).digest()[:4], "big")
