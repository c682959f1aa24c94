"""Who asks, and whether this service asks who."""

from dataclasses import dataclass
from ipaddress import ip_address

from service.config.settings import Settings
from service.errors.access import AdminOnly


@dataclass(frozen=True)
class Principal:
    """The client behind a request: the owner of its jobs.

    Attributes:
        name: of its API key; "local" where keys are off.
        admin: whether it may see and change what belongs to the service.
        rate: requests a second that its key allows, 0 for any; None for the setting.
    """

    name: str
    admin: bool = False
    rate: float | None = None

    def check_admin(self) -> None:
        """Raise `AdminOnly` unless the caller is an administrator."""
        if not self.admin:
            raise AdminOnly(f"the key {self.name!r} is not an administrator's")


# Where keys are off, whoever can connect may do everything.
LOCAL = Principal("local", admin=True)
# Where keys are on, whoever asks for what is open to everybody. No key can have this name.
ANONYMOUS = Principal("(anonymous)")


def auth_enabled(settings: Settings) -> bool:
    """Whether requests need an API key."""
    return settings.auth == "on" or (settings.auth == "auto" and not is_private(settings))


def is_private(settings: Settings) -> bool:
    """Whether only this host can connect."""
    return is_loopback(settings.published_on or settings.host)


def is_loopback(host: str) -> bool:
    """Whether an address, or a name, is this host's own. A name to be resolved is not trusted."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"
