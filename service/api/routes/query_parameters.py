"""Query parameters of POST routes: there are none, so that one is a mistake worth a word."""

from collections.abc import Awaitable, Callable, Collection
from typing import Any

from fastapi import Depends, Request

from captionfill.errors import InvalidField


def no_query(fields: Collection[str] = ()) -> Any:
    """A dependency that refuses every query parameter.

    Passed over, `POST /inpaint?seed=5` would be answered with a random seed.

    Args:
        fields: of the route's form, which are told where they belong.

    Raises:
        InvalidField: from the dependency, for the first parameter there is.
    """
    return Depends(_refuse_query(frozenset(fields)))


def _refuse_query(fields: Collection[str]) -> Callable[[Request], Awaitable[None]]:
    async def refuse(request: Request) -> None:
        for name in request.query_params:
            if name in fields:
                raise InvalidField(f"{name} is a field of the form, not a query parameter")
            raise InvalidField(f"unknown query parameter {name[:40]!r}; this route takes none")

    return refuse
