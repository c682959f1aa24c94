"""Generates docs/problems.md: `python -m service.errors.docs > docs/problems.md`."""

import json
from inspect import cleandoc

from captionfill.errors import CaptionfillError, StartError
from service.errors.catalogue import MEDIA_TYPE, catalogue, example

_HEAD = f"""# Problems

Every error response is a problem document (RFC 9457, `{MEDIA_TYPE}`). Its `type` is the path
`/problems/<slug>` of the service, which explains the problem as this page does. Slugs are stable;
the text of `detail` may change. This page is generated from `service/errors/` by
`python -m service.errors.docs`; `make fix` updates it.
"""


def page() -> str:
    """The whole page: a table, and a section for each problem of a response."""
    kinds = sorted(
        (kind for kind in catalogue().values() if kind is not StartError),
        key=lambda kind: (kind.status, kind.slug),
    )
    rows = [f"| {kind.status} | [`{kind.slug}`](#{kind.slug}) | {kind.title} |" for kind in kinds]
    table = ["| status | problem | |", "| ---: | --- | --- |", *rows]
    return "\n".join([_HEAD, *table, "", *map(_section, kinds)])


def _section(kind: type[CaptionfillError]) -> str:
    document = example(kind)
    headers = kind("").headers
    parts = [
        f"## {kind.slug}",
        f"**{kind.title}**, status {kind.status}"
        + "".join(f", `{name}: {value}`" for name, value in headers.items()),
        cleandoc(kind.__doc__ or "").replace("``", "`"),
        f"```json\n{json.dumps(document, indent=2, ensure_ascii=False)}\n```",
    ]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    print(page(), end="")
