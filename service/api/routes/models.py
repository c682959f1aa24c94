"""Loaded bundles: their list, and reloading them."""

from collections.abc import Collection
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request

from captionfill.errors import InvalidField
from service.api.routes.dependencies import UsedQueue, no_query
from service.api.schemas.models import Model, ModelList, Reload, ReloadedWorker
from service.api.schemas.problems import COMMON, problems
from service.api.worker_registry import WorkerRegistry, default_model
from service.auth.api_keys import Principal
from service.errors.requests import AdminOnly, NoSuchModel, NoSuchPage
from service.queue.client import Queue
from service.queue.worker_reports import Heartbeat

router = APIRouter()


@router.get("/v1/models", responses=problems(*COMMON))
async def models(request: Request) -> ModelList:
    """List the bundles that live workers have loaded, the default first."""
    return ModelList(data=await _loaded(request))


# A name with a slash is another address, which does not exist.
_UNKNOWN = (NoSuchModel, NoSuchPage)


@router.get("/v1/models/{model}", responses=problems(*_UNKNOWN, *COMMON))
async def describe_model(
    request: Request,
    model: Annotated[str, Path(description="its name", examples=["default"])],
) -> Model:
    """Describe a bundle that live workers have loaded.

    During a rolling update workers may have two of one name; the more common one is described.
    """
    named = [one for one in await _loaded(request) if one.id == model]
    if not named:
        raise NoSuchModel(f"no bundle is called {model[:60]!r}")
    return max(named, key=lambda one: one.workers)


@router.post(
    "/admin/reload",
    dependencies=[no_query()],
    status_code=202,
    responses=problems(InvalidField, AdminOnly, *COMMON),
)
async def reload(request: Request, queue: UsedQueue) -> Reload:
    """Make every worker load its bundles again; the old ones are used until that is done.

    `GET /admin/reload` reports the progress. If a bundle cannot be loaded, the worker keeps its old
    bundles.
    """
    _check_admin(request)
    return await _progress(queue, await queue.request_reload())


@router.get("/admin/reload", responses=problems(AdminOnly, *COMMON))
async def reload_progress(request: Request, queue: UsedQueue) -> Reload:
    """Report which workers have loaded their bundles since the last request to reload."""
    _check_admin(request)
    return await _progress(queue, await queue.generation())


def _check_admin(request: Request) -> None:
    caller: Principal = request.state.caller
    caller.check_admin()


async def _loaded(request: Request) -> list[Model]:
    """Every bundle of a live worker, the default first."""
    registry: WorkerRegistry = request.app.state.worker_registry
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
