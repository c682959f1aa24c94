"""JSON bodies about bundles and workers: models, reloads, health."""

from typing import Literal

from pydantic import BaseModel, Field


class Model(BaseModel):
    """A bundle that workers have loaded."""

    id: str = Field(description="its name, for the field `model`")
    object: Literal["model"] = "model"
    owned_by: Literal["captionfill"] = "captionfill"
    created: int = Field(default=0, description="always 0: the digest identifies a bundle")
    digest: str
    default: bool
    workers: int = Field(description="number of live workers that have loaded it")
    engines: list[str] = Field(description="their inference engines: `torch`, `openvino-bf16`, …")


class ModelList(BaseModel):
    """The loaded bundles."""

    object: Literal["list"] = "list"
    data: list[Model]


class ReloadedWorker(BaseModel):
    """The progress of one worker's reload."""

    worker: str
    generation: int = Field(description="of its loaded bundles")
    error: str | None = Field(description="why it kept its old bundles")
    models: dict[str, str] = Field(description="digest of each bundle by its name")


class Reload(BaseModel):
    """The progress of a reload."""

    generation: int = Field(description="the requested generation")
    state: Literal["no-workers", "loading", "failed", "done"] = Field(
        description="failed: a worker could not load its bundles and keeps the old ones; "
        "no-workers: there is no live worker"
    )
    done: bool = Field(description="whether all live workers, at least one, have its bundles")
    workers: list[ReloadedWorker]


class Health(BaseModel):
    """The process runs."""

    status: str = "ok"


class UnhealthyBundle(BaseModel):
    """A bundle that failed several times in a row; its worker takes no tasks for it."""

    worker: str
    model: str
    reason: str


class Readiness(BaseModel):
    """The service can fill pictures."""

    status: str = "ready"
    bundle: str = Field(description="digest of the default bundle")
    engine: str = Field(description="its inference engine")
    workers: int = Field(description="number of live and healthy workers")
    unhealthy: list[UnhealthyBundle] = Field(
        [], description="bundles that take no tasks until they recover"
    )
    warnings: list[str] = Field(
        default_factory=list, description="conditions that an operator should fix", examples=[[]]
    )
