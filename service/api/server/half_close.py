"""Distinguishes a client that has ended its sending side from one that has disconnected.

Both send the end of the stream. A client that still reads (``shutdown(SHUT_WR)``) gets its
response; for one that has closed its socket, the job is cancelled. The system of a closed socket
answers received bytes with a reset, and the next write fails. So interim responses are sent (100,
which HTTP/1.1 clients must ignore: RFC 9110, 15.2) until the response begins. HTTP/1.0 clients
accept none: for them the request is cancelled after a fixed time.
"""

import asyncio
from collections.abc import Callable

# One probe causes the reset and the next one fails: a disconnection is detected after 0.75 s.
_FIRST_SECONDS, _LONGEST_SECONDS = 0.25, 8.0
_HTTP_1_0_SECONDS = 2.0


class PeerProbe:
    """Probes a half-closed connection until it is stopped.

    ``interim`` sends an interim response. For HTTP/1.0 it is None, and ``give_up`` is called once.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        interim: Callable[[], None] | None,
        give_up: Callable[[], None],
    ) -> None:
        self._loop, self._interim = loop, interim
        self._pause = _FIRST_SECONDS
        if interim is None:
            self._timer = loop.call_later(_HTTP_1_0_SECONDS, give_up)
        else:
            self._timer = loop.call_later(self._pause, self._probe)

    def stop(self) -> None:
        """Stop probing."""
        self._timer.cancel()

    def _probe(self) -> None:
        # Scheduled first: a failing write ends the connection, which stops the probe.
        self._pause = min(2 * self._pause, _LONGEST_SECONDS)
        self._timer = self._loop.call_later(self._pause, self._probe)
        if self._interim is not None:
            self._interim()
