"""Lua scripts of the queue: each is one atomic step.

`jobs/` holds the API's steps, `tasks/` the workers', `webhooks/` the dispatcher's. `lib/` holds
functions that several steps share; `script` puts them before the step. Only commands of Redis 6.2
are used; Valkey has all of them. The scripts make the keys from the prefix, whose braces keep
every key on one node of a cluster.
"""

from functools import cache
from importlib.resources import files

_SHARED = ("keys", "storage", "jobs")
_LIBRARIES = {
    "tasks/open": ("leases",),
    "tasks/take": ("leases",),
    "tasks/reclaim": ("leases",),
    "tasks/sweep": ("streams",),
    "jobs/enqueue": ("streams",),
    "jobs/has_room": ("streams",),
}


@cache
def script(name: str) -> str:
    """Return the source of a step with its libraries, by its path: ``jobs/enqueue``."""
    names = [f"lib/{each}" for each in (*_SHARED, *_LIBRARIES.get(name, ()))]
    parts = [files(__name__).joinpath(f"{each}.lua") for each in (*names, name)]
    return "\n".join(part.read_text(encoding="utf-8") for part in parts)
