"""The steps of the queue that must not be torn: each a Lua script, run by the server in one go.

One file a step; `shared.lua` goes before each. Only commands of Redis 6.2 are used, and Valkey has
them all. Keys of jobs are made up inside the scripts from the prefix, whose braces keep everything
on one node of a cluster.
"""

from functools import cache
from importlib.resources import files


@cache
def script(name: str) -> str:
    """The source of a script by its file's name."""
    folder = files(__name__)
    parts = (folder / "shared.lua", folder / f"{name}.lua")
    return "\n".join(part.read_text(encoding="utf-8") for part in parts)
