"""Ports for processes that are told where to listen."""

import socket
import sys

_kept: list[socket.socket] = []


def free_port() -> int:
    """Return a TCP port on loopback that nobody else gets before the process listens there.

    On Linux a socket that is bound and never listens keeps the port for as long as the tests run:
    the kernel gives it to no one who asks for any port, and lets a server bind it by SO_REUSEADDR.
    """
    keeper = socket.socket()
    keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    keeper.bind(("127.0.0.1", 0))
    port = keeper.getsockname()[1]
    if sys.platform == "linux":
        _kept.append(keeper)
    else:
        keeper.close()
    return port
