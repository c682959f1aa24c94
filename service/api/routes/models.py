"""The bundles that workers have loaded, and how to have them read anew."""

from collections.abc import Collection
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request

from captionfill.errors import InvalidField
from service.api.routes.query_parameters import no_query
from service.api.schemas import inpaint
from service.api.schemas.problems import COMMON, problems
from service.api.worker_registry import WorkerRegistry, default_model
from service.auth.principal import Principal
from service.errors.access import AdminOnly
from service.errors.requests import NoSuchModel, NoSuchPage
from service.queue.client import Heartbeat, Queue

router = APIRouter()


@router.get("/v1/models", responses=problems(*COMMON))
async def models(request: Request) -> inpaint.ModelList:
    """List the bundles by which live workers fill, the default first."""
    return inpaint.ModelList(data=await _loaded(request))


# A name with a slash is another address, where there is nothing.
_UNKNOWN = (NoSuchModel, NoSuchPage)


@router.get("/v1/models/{model}", responses=problems(*_UNKNOWN, *COMMON))
async def describe_model(
    request: Request,
    model: Annotated[str, Path(description="its name", examples=["default"])],
) -> inpaint.Model:
    """Describe a bundle by which live workers fill.

    While workers have two of one name, as in a rolling update, the one that more of them have.
    """
    named = [one for one in await _loaded(request) if one.id == model]
    if not named:
        raise NoSuchModel(f"no bundle is called {model[:60]!r}")
    return max(named, key=lambda one: one.workers)


async def _loaded(request: Request) -> list[inpaint.Model]:
    """Every bundle that a live worker has, the default first."""
    registry: WorkerRegistry = request.app.state.worker_registry
    live = await registry.heartbeats()
    heartbeats, default = live.values(), default_model(live)
    found = {
        (name, digest) for heartbeat in heartbeats for name, digest in heartbeat.models.items()
    }
    order = sorted(found, key=lambda model: (model[0] != default, model))
    return [
        inpaint.Model(
            id=name,
            digest=digest,
            default=name == default,
            workers=sum(heartbeat.models.get(name) == digest for heartbeat in heartbeats),
            engines=sorted(
                {
                    heartbeat.engines[name]
                    for heartbeat in heartbeats
                    if heartbeat.models.get(name) == digest and name in heartbeat.engines
                }
            ),
        )
        for name, digest in order
    ]


@router.post(
    "/admin/reload",
    dependencies=[no_query()],
    status_code=202,
    responses=problems(InvalidField, AdminOnly, *COMMON),
)
async def reload(request: Request) -> inpaint.Reload:
    """Have every worker read its bundles anew, beside the old ones, which serve until then.

    `GET /admin/reload` tells how far they are. A bundle that cannot be loaded is not taken, and
    the old ones go on serving.
    """
    queue: Queue = request.app.state.queue
    caller: Principal = request.state.caller
    caller.check_admin()
    return await _progress(queue, await queue.request_reload())


@router.get("/admin/reload", responses=problems(AdminOnly, *COMMON))
async def reload_progress(request: Request) -> inpaint.Reload:
    """Tell which workers have read their bundles anew since the last reload was asked for."""
    queue: Queue = request.app.state.queue
    caller: Principal = request.state.caller
    caller.check_admin()
    return await _progress(queue, await queue.generation())


def _reload_state(
    heartbeats: Collection[Heartbeat], generation: int
) -> Literal["no-workers", "loading", "failed", "done"]:
    if not heartbeats:
        return "no-workers"
    if all(heartbeat.generation >= generation for heartbeat in heartbeats):
        return "done"
    if any(
        heartbeat.error and heartbeat.tried >= generation > heartbeat.generation
        for heartbeat in heartbeats
    ):
        return "failed"
    return "loading"


async def _progress(queue: Queue, generation: int) -> inpaint.Reload:
    heartbeats = await queue.workers()
    state = _reload_state(heartbeats.values(), generation)
    return inpaint.Reload(
        generation=generation,
        state=state,
        done=state == "done",
        workers=[
            inpaint.ReloadedWorker(
                worker=name,
                generation=heartbeat.generation,
                error=heartbeat.error,
                models=dict(heartbeat.models),
            )
            for name, heartbeat in sorted(heartbeats.items())
        ],
    )
