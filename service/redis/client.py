"""Redis clients that follow a failover by closing connections to a demoted master.

A demoted master still answers reads on open connections, and refuses writes with READONLY. A new
connection resolves the address again.
"""

from typing import Any

import redis
import redis.asyncio
from redis.exceptions import ReadOnlyError, ResponseError


def is_read_only(error: BaseException) -> bool:
    """Whether Redis refused a write because it is a replica, also in a script."""
    return isinstance(error, ReadOnlyError) or "READONLY" in str(error)


class FailoverClient(redis.Redis):
    """A client for threads. It closes idle connections and the one that was refused."""

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
    """A client for an event loop. It closes every connection, also of subscriptions."""

    async def parse_response(self, connection: Any, command_name: Any, **options: Any) -> Any:
        """Read a reply of a connection."""
        try:
            return await super().parse_response(connection, command_name, **options)
        except ResponseError as error:
            if is_read_only(error):
                await self.connection_pool.disconnect()
            raise
