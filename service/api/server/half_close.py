"""Tells a client that has ended its sending side from one that has left.

Both look alike: the end of the stream. A client that reads on (``shutdown(SHUT_WR)``) is due its
answer; one that has closed its socket is not, and its job should reach no model. They differ in
what their system says to bytes that arrive: to a closed socket it answers with a reset, at which
the next write fails. So interim responses are sent (100, which a client of HTTP/1.1 must be able
to skip: RFC 9110, 15.2) until the answer begins, whose own writes then tell. Clients of HTTP/1.0
may not be sent any: they are waited for during a fixed time.
"""

import asyncio
from collections.abc import Callable

# One probe draws the reset and the next one fails: a client that left is known after 0.75 s.
_FIRST_SECONDS, _LONGEST_SECONDS = 0.25, 8.0
_HTTP_1_0_SECONDS = 2.0


class PeerProbe:
    """Probes a half-closed connection until it is stopped.

    Args:
        loop: of the connection.
        interim: sends an interim response; None where the client's version knows none.
        give_up: called once in the place of probes that cannot be sent.
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
        """Probe no more."""
        self._timer.cancel()

    def _probe(self) -> None:
        # Scheduled first: a failing write ends the connection, and that stops the probe.
        self._pause = min(2 * self._pause, _LONGEST_SECONDS)
        self._timer = self._loop.call_later(self._pause, self._probe)
        if self._interim is not None:
            self._interim()
