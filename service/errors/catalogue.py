"""Every kind of problem by its slug, with its explanation and an example.

`python -m service.errors.catalogue > docs/problems.md` writes the page of all problems.
"""

import json
from collections.abc import Iterator
from inspect import cleandoc
from typing import Any

from captionfill.errors import CaptionfillError, StartError
from service.errors import queue, requests  # noqa: F401 - defines the errors

MEDIA_TYPE = "application/problem+json"
_HEAD = f"""# Problems

Every error response is a problem document (RFC 9457, `{MEDIA_TYPE}`). Its `type` is the path
`/problems/<slug>` of the service, which explains the problem as this page does. Slugs are stable;
the text of `detail` may change. This page is generated from `service/errors/` by
`python -m service.errors.catalogue`; `make fix` updates it.
"""


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


def page() -> str:
    """docs/problems.md: a table, and a section for each problem of a response."""
    kinds = sorted(
        (kind for kind in catalogue().values() if kind is not StartError),
        key=lambda kind: (kind.status, kind.slug),
    )
    rows = [f"| {kind.status} | [`{kind.slug}`](#{kind.slug}) | {kind.title} |" for kind in kinds]
    table = ["| status | problem | |", "| ---: | --- | --- |", *rows]
    return "\n".join([_HEAD, *table, "", *map(_section, kinds)])


def _section(kind: type[CaptionfillError]) -> str:
    headers = "".join(f", `{name}: {value}`" for name, value in kind("").headers.items())
    parts = [
        f"## {kind.slug}",
        f"**{kind.title}**, status {kind.status}{headers}",
        cleandoc(kind.__doc__ or "").replace("``", "`"),
        f"```json\n{json.dumps(example(kind), indent=2, ensure_ascii=False)}\n```",
    ]
    return "\n\n".join(parts) + "\n"


def _below(kind: type[CaptionfillError]) -> Iterator[type[CaptionfillError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _below(child)


if __name__ == "__main__":
    print(page(), end="")
