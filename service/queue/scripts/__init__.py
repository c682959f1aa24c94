"""The steps of the queue that must not be torn: each a Lua script, run by the server in one go.

One file a step; `shared.lua` goes before each, and between them what several steps have in common.
 Only commands of Redis 6.2 are used, and Valkey has
them all. Keys of jobs are made up inside the scripts from the prefix, whose braces keep everything
on one node of a cluster.
"""

from functools import cache
from importlib.resources import files

_LIBRARIES = {
    "open": ("opening",),
    "take": ("opening",),
    "retake": ("opening",),
    "enqueue": ("sweeping",),
    "room": ("sweeping",),
    "sweep": ("sweeping",),
}


@cache
def script(name: str) -> str:
    """The source of a script by its file's name."""
    folder = files(__name__)
    names = ("shared", *_LIBRARIES.get(name, ()), name)
    parts = [folder / f"{each}.lua" for each in names]
    return "\n".join(part.read_text(encoding="utf-8") for part in parts)
