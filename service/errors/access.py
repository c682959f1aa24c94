# ruff: noqa: N818 - a name here is what a client reads, and a problem's title
"""Errors of authentication and authorization.

An error's docstring is its documentation: the service serves it at the problem's ``type``.
"""

from captionfill.errors import CaptionfillError


class KeyRequired(CaptionfillError):
    """The request has no valid API key.

    Send it as ``Authorization: Bearer KEY`` or ``X-API-Key: KEY``. ``captionfill keys new NAME``
    creates one.
    """

    status, slug, title = 401, "key-required", "API key required"

    @property
    def headers(self) -> dict[str, str]:
        """The authentication scheme (RFC 6750)."""
        return {"WWW-Authenticate": 'Bearer realm="captionfill"'}


class AdminOnly(CaptionfillError):
    """The API key has no administrator rights. ``captionfill keys new NAME --admin`` makes one."""

    status, slug, title = 403, "admin-only", "Administrators only"


class CrossOrigin(CaptionfillError):
    """A script of another website sent the request. ``CAPTIONFILL_CORS_ORIGINS`` can allow it."""

    status, slug, title = 403, "cross-origin", "Request of another website"


class WrongHost(CaptionfillError):
    """The Host header is not an allowed host. ``CAPTIONFILL_ALLOWED_HOSTS`` adds hosts.

    Without API keys only localhost is allowed, so that no website can reach the service through a
    name of its own (DNS rebinding).
    """

    status, slug, title = 421, "wrong-host", "Wrong host"
