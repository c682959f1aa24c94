"""The socket that the API accepts connections on."""

import errno
import socket
from typing import Any

from captionfill.errors import StartError

_BACKLOG = 2048
_NO_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


def listen(host: str, port: int) -> socket.socket:
    """Bind and listen. ``::`` also accepts IPv4 connections, as IPv4-mapped addresses.

    Raises:
        StartError: the address is unknown or not of this host, or the port is in use.
    """
    try:
        family, *_, address = _resolve(host, port)
        both = host == "::" and socket.has_dualstack_ipv6()
        return socket.create_server(address, family=family, backlog=_BACKLOG, dualstack_ipv6=both)
    except (OSError, UnicodeError, ValueError) as error:
        raise StartError(_explain(host, port, error)) from error


def inherit(descriptor: int) -> socket.socket:
    """The listening socket that the parent process passed.

    Raises:
        StartError: the descriptor is not a socket.
    """
    try:
        inherited = socket.socket(fileno=descriptor)
        inherited.getsockname()
    except OSError as error:
        raise StartError(
            f"CAPTIONFILL_LISTEN_FD: descriptor {descriptor} is not a socket: {error.strerror}"
        ) from error
    return inherited


def _resolve(host: str, port: int) -> tuple[socket.AddressFamily, int, int, str, Any]:
    """The first address of a host, IPv4 before IPv6."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return min(found, key=lambda info: info[0] != socket.AF_INET)


def _explain(host: str, port: int, error: Exception) -> str:
    reason = (error.strerror if isinstance(error, OSError) else None) or "not a host name"
    if isinstance(error, OSError) and ":" in host and error.errno in _NO_IPV6:
        advice = "set HOST=0.0.0.0 where this machine has no IPv6"
    elif isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        advice = "set PORT="
    else:
        advice = "set HOST= and PORT="
    return f"cannot listen on {host}:{port}: {reason}; {advice}"
