"""Redis clients that follow a failover: a demoted master's connections are closed.

A demoted master goes on answering reads on its open connections, and refuses each write with
READONLY. A new connection goes to the address's present owner.
"""

from typing import Any

import redis
import redis.asyncio
from redis.exceptions import ReadOnlyError, ResponseError


def is_read_only(error: BaseException) -> bool:
    """Whether Redis refused a write because it is a replica; from inside a script, too."""
    return isinstance(error, ReadOnlyError) or "READONLY" in str(error)


class FailoverClient(redis.Redis):
    """A client for several threads: closes its idle connections, and the one that was refused."""

    def parse_response(self, connection: Any, command_name: str, **options: Any) -> Any:
        """Read a reply of a connection."""
        try:
            return super().parse_response(connection, command_name, **options)  # type: ignore[no-untyped-call]
        except ResponseError as error:
            if is_read_only(error):
                connection.disconnect()
                self.connection_pool.disconnect(inuse_connections=False)
            raise


class AsyncFailoverClient(redis.asyncio.Redis):
    """A client for one event loop: closes every connection, the subscription's too."""

    async def parse_response(self, connection: Any, command_name: Any, **options: Any) -> Any:
        """Read a reply of a connection."""
        try:
            return await super().parse_response(connection, command_name, **options)
        except ResponseError as error:
            if is_read_only(error):
                await self.connection_pool.disconnect()
            raise
