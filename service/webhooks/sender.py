"""Sending one webhook: to the very address that was checked, and nowhere else."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping
from ipaddress import ip_address

import httpcore2

from service.config.addresses import Address, AllowList
from service.webhooks.url_check import WebhookUrl

Resolve = Callable[[str, int], Awaitable[list[Address]]]
_MOST_ADDRESSES = 4


class DeliveryError(Exception):
    """A webhook did not arrive. Says why, in words for the log.

    Attributes:
        final: another attempt is of no use.
    """

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


async def resolve(host: str, port: int) -> list[Address]:
    """Every address of a host, as the system's resolver orders them."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ip_address(place[0]) for *_, place in found]


class GuardedBackend(httpcore2.AnyIOBackend):
    """Resolves a host once, checks what comes out, and connects to that: no second look-up."""

    def __init__(self, allowed: AllowList, resolve: Resolve = resolve) -> None:
        self._allowed, self._resolve = allowed, resolve

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to the first of the host's permitted addresses that answers."""
        permitted = self._allowed.permits(host, await self._resolve(host, port))
        if not permitted:
            raise DeliveryError(f"{host} has no public address")
        for address in permitted[:_MOST_ADDRESSES]:
            try:
                return await super().connect_tcp(
                    str(address), port, timeout, local_address, socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                refusal = error
        raise refusal


class Sender:
    """Posts a body to a target. Follows no redirect, uses no proxy, reads no answer's body."""

    def __init__(
        self,
        allowed: AllowList,
        seconds: float,
        resolve: Resolve = resolve,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._seconds = seconds
        # A connection that is kept would be one whose address was checked some time ago.
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=context,
            max_connections=32,
            max_keepalive_connections=0,
            network_backend=GuardedBackend(allowed, resolve),
        )

    async def send(self, target: WebhookUrl, headers: Mapping[str, str], body: bytes) -> None:
        """Post once.

        Raises:
            Undelivered: no connection, no answer in time, or an answer other than 2xx.
        """
        try:
            async with asyncio.timeout(self._seconds):
                status = await self._post(target, headers, body)
        except TimeoutError as error:
            raise DeliveryError(f"no answer in {self._seconds:g} s") from error
        except (OSError, httpcore2.NetworkError, httpcore2.TimeoutException) as error:
            raise DeliveryError(f"no connection ({type(error).__name__})") from error
        except httpcore2.ProtocolError as error:
            raise DeliveryError("the answer is not HTTP") from error
        if not 200 <= status < 300:
            # 410 is how a receiver says, by Standard Webhooks, that it wants no more.
            raise DeliveryError(f"answered {status}", final=status == 410)

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.aclose()

    async def _post(self, target: WebhookUrl, headers: Mapping[str, str], body: bytes) -> int:
        url = httpcore2.URL(
            scheme=target.scheme, host=target.host, port=target.port, target=target.path
        )
        own = {
            "Host": target.authority,
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "User-Agent": "captionfill-webhook",
        }
        lines = list({**own, **headers}.items())
        async with self._pool.stream("POST", url, headers=lines, content=body) as response:
            return int(response.status)
