"""Every kind of problem by its slug, with its explanation and an example."""

from collections.abc import Iterator
from inspect import cleandoc
from typing import Any

from captionfill.errors import CaptionfillError
from service.errors import access, capacity, jobs, requests  # noqa: F401 - defines the errors

MEDIA_TYPE = "application/problem+json"


def catalogue() -> dict[str, type[CaptionfillError]]:
    """Every kind of error by its slug."""
    kinds: list[type[CaptionfillError]] = [CaptionfillError, *_below(CaptionfillError)]
    return {kind.slug: kind for kind in kinds}


def example(kind: type[CaptionfillError]) -> dict[str, Any]:
    """A problem document of the kind; its detail is the first line of the explanation."""
    return kind(explain(kind).splitlines()[2]).problem()


def explain(kind: type[CaptionfillError]) -> str:
    """The explanation of a kind of error, for the page at its ``type``."""
    return f"{kind.title} ({kind.status})\n\n{cleandoc(kind.__doc__ or '')}\n"


def _below(kind: type[CaptionfillError]) -> Iterator[type[CaptionfillError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _below(child)
