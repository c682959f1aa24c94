"""HTTP client for webhooks. It connects only to the addresses that were checked (no SSRF)."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from ipaddress import ip_address
from typing import Any

import httpcore2

from service.config.addresses import Address, AllowList
from service.webhooks.url_check import WebhookUrl

Resolve = Callable[[str, int], Awaitable[list[Address]]]
_MAX_ADDRESSES = 4


class DeliveryError(Exception):
    """A delivery failed; if `final`, no further attempt is made."""

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


async def resolve(host: str, port: int) -> list[Address]:
    """Return every address of a host, in the order of the system's resolver."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ip_address(place[0]) for *_, place in found]


class GuardedBackend(httpcore2.AnyIOBackend):
    """Network backend that resolves a host once and connects only to permitted addresses.

    A second look-up could give another address (DNS rebinding).
    """

    def __init__(self, allowed: AllowList, resolve: Resolve = resolve) -> None:
        self._allowed, self._resolve = allowed, resolve

    async def connect_tcp(
        self, host: str, port: int, *args: Any, **options: Any
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to the first permitted address that accepts the connection."""
        permitted = self._allowed.permits(host, await self._resolve(host, port))
        if not permitted:
            raise DeliveryError(f"{host} has no public address")
        for address in permitted[:_MAX_ADDRESSES]:
            try:
                return await super().connect_tcp(str(address), port, *args, **options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                refusal = error
        raise refusal


class Sender:
    """Posts webhooks. It follows no redirects, uses no proxy and reads no response body."""

    def __init__(
        self,
        allowed: AllowList,
        timeout: float,
        resolve: Resolve = resolve,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._timeout = timeout
        # No keep-alive: the address is checked for each connection.
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=context,
            max_connections=32,
            max_keepalive_connections=0,
            network_backend=GuardedBackend(allowed, resolve),
        )

    async def send(self, target: WebhookUrl, headers: Mapping[str, str], body: bytes) -> None:
        """Post once.

        Raises:
            DeliveryError: no connection, no response in time, or a status other than 2xx.
        """
        try:
            async with asyncio.timeout(self._timeout):
                status = await self._post(target, headers, body)
        except TimeoutError as error:
            raise DeliveryError(f"no response in {self._timeout:g} s") from error
        except (OSError, httpcore2.NetworkError, httpcore2.TimeoutException) as error:
            raise DeliveryError(f"no connection ({type(error).__name__})") from error
        except httpcore2.ProtocolError as error:
            raise DeliveryError("the response is not HTTP") from error
        if not 200 <= status < 300:
            # 410: the receiver wants no more webhooks (Standard Webhooks).
            raise DeliveryError(f"status {status}", final=status == 410)

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.aclose()

    async def _post(self, target: WebhookUrl, headers: Mapping[str, str], body: bytes) -> int:
        url = httpcore2.URL(
            scheme=target.scheme, host=target.host, port=target.port, target=target.path
        )
        base = {
            "Host": target.authority,
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "User-Agent": "captionfill-webhook",
        }
        lines = list({**base, **headers}.items())
        async with self._pool.stream("POST", url, headers=lines, content=body) as response:
            return int(response.status)
