"""Loaded bundles: their list, and reloading them."""

from collections.abc import Collection
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Request

from captionfill.errors import InvalidField
from service.api.routes.common import UsedQueue, UsedRegistry, no_query
from service.api.schemas.bodies import Model, ModelList, Reload, ReloadedWorker
from service.api.schemas.problems import COMMON, problems
from service.auth.api_keys import Principal
from service.errors.requests import AdminOnly, NoSuchModel, NoSuchPage
from service.queue.client import Queue
from service.queue.worker_reports import Heartbeat, WorkerRegistry, default_model

router = APIRouter(tags=["Models"])


async def _check_admin(request: Request) -> None:
    caller: Principal = request.state.caller
    if not caller.admin:
        raise AdminOnly(f"the key {caller.name!r} is not an administrator's")


@router.get("/v1/models", summary="List the models", responses=problems(*COMMON))
async def models(registry: UsedRegistry) -> ModelList:
    """List the bundles that live workers have loaded, the default first."""
    return ModelList(data=await _loaded(registry))


# A name with a slash is another address, which does not exist.
_UNKNOWN = (NoSuchModel, NoSuchPage)


@router.get(
    "/v1/models/{model}",
    summary="Describe a model",
    responses=problems(*_UNKNOWN, *COMMON),
)
async def describe_model(
    registry: UsedRegistry,
    model: Annotated[str, Path(description="its name", examples=["default"])],
) -> Model:
    """Describe a bundle that live workers have loaded.

    During a rolling update workers may have two of one name; the more common one is described.
    """
    named = [one for one in await _loaded(registry) if one.id == model]
    if not named:
        raise NoSuchModel(f"no bundle is called {model[:60]!r}")
    return max(named, key=lambda one: one.workers)


@router.post(
    "/admin/reload",
    summary="Reload the models",
    dependencies=[no_query(), Depends(_check_admin)],
    status_code=202,
    responses=problems(InvalidField, AdminOnly, *COMMON),
)
async def reload(queue: UsedQueue) -> Reload:
    """Make every worker load its bundles again; the old ones are used until that is done.

    `GET /admin/reload` reports the progress. If a bundle cannot be loaded, the worker keeps its old
    bundles.
    """
    return await _progress(queue, await queue.request_reload())


@router.get(
    "/admin/reload",
    summary="Progress of a reload",
    dependencies=[Depends(_check_admin)],
    responses=problems(AdminOnly, *COMMON),
)
async def reload_progress(queue: UsedQueue) -> Reload:
    """Report which workers have loaded their bundles since the last request to reload."""
    return await _progress(queue, await queue.generation())


async def _loaded(registry: WorkerRegistry) -> list[Model]:
    """Every bundle of a live worker, the default first."""
    live = await registry.heartbeats()
    workers, default = live.values(), default_model(live)
    found = {(name, digest) for worker in workers for name, digest in worker.models.items()}
    order = sorted(found, key=lambda model: (model[0] != default, model))
    return [_model(name, digest, name == default, workers) for name, digest in order]


def _model(name: str, digest: str, is_default: bool, workers: Collection[Heartbeat]) -> Model:
    having = [worker for worker in workers if worker.models.get(name) == digest]
    return Model(
        id=name,
        digest=digest,
        default=is_default,
        workers=len(having),
        engines=sorted({worker.engines[name] for worker in having if name in worker.engines}),
    )


def _reload_state(
    workers: Collection[Heartbeat], generation: int
) -> Literal["no-workers", "loading", "failed", "done"]:
    if not workers:
        return "no-workers"
    if all(worker.generation >= generation for worker in workers):
        return "done"
    if any(worker.error and worker.tried >= generation > worker.generation for worker in workers):
        return "failed"
    return "loading"


async def _progress(queue: Queue, generation: int) -> Reload:
    workers = await queue.workers()
    state = _reload_state(workers.values(), generation)
    return Reload(
        generation=generation,
        state=state,
        done=state == "done",
        workers=[
            ReloadedWorker(
                worker=name,
                generation=worker.generation,
                error=worker.error,
                models=dict(worker.models),
            )
            for name, worker in sorted(workers.items())
        ],
    )
