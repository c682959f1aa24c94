"""The settings of the service: one environment variable each, checked at the start."""

import logging
import os
import re
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AliasChoices,
    BeforeValidator,
    Field,
    PositiveInt,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings.exceptions import SettingsError

from captionfill.errors import StartError
from captionfill.hub import is_hub_reference, split_reference
from service.config.addresses import AllowList
from service.config.webhook_secrets import parse_secrets
from service.errors.redaction import register_secrets
from service.redis.url import check_redis_url, secrets_of

# A list is written a,b,c in the environment.
Names = Annotated[tuple[str, ...], NoDecode]

# Between the entries of a list like PATH's, but not within hf://.
_BETWEEN = re.compile(rf"{re.escape(os.pathsep)}(?!//)")

DEFAULT_BUNDLE = Path(__file__).resolve().parents[2] / "models" / "weights" / "default"
# What Kubernetes and Docker put into the environment for a service of this name:
# CAPTIONFILL_PORT=tcp://10.0.0.1:8000. No setting looks like that.
_SERVICE_LINK = re.compile(r"(tcp|udp|sctp)://\S+:\d+")
# A path of plain segments, each after a slash; none of them is . or ..
ROOT_PATH = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)+")
_MOST_SECONDS = 10 * 366 * 86_400
_MOST = 2**53  # beyond it a number is no longer exact in Lua and JSON
_PREFIX = "CAPTIONFILL_"
# Environment variables of older versions, without the prefix. They are still read.
RENAMED = {
    "ANSWER_SECONDS": "REQUEST_TIMEOUT",
    "BACKLOG_LIMIT": "BATCH_QUEUE_LIMIT",
    "DECODERS": "IMAGE_THREADS",
    "DRAIN_SECONDS": "DRAIN_TIMEOUT",
    "HEADER_SECONDS": "HEADER_TIMEOUT",
    "IDLE_SECONDS": "IDLE_TIMEOUT",
    "JOB_SECONDS": "JOB_TIMEOUT",
    "MODEL_SECONDS": "INFERENCE_TIMEOUT",
    "UPLOAD_SECONDS": "UPLOAD_TIMEOUT",
    "WEBHOOK_PAUSE_SECONDS": "WEBHOOK_BACKOFF",
    "WEBHOOK_SECONDS": "WEBHOOK_TIMEOUT",
    "WEBHOOK_TRIES": "WEBHOOK_MAX_ATTEMPTS",
}

log = logging.getLogger("captionfill.settings")


def _bundle_place(place: object) -> object:
    """Return a path as `Path`, and a reference to the Hub, which none may be, as text."""
    if not isinstance(place, str):
        return place
    if not is_hub_reference(place):
        return Path(place)
    try:
        split_reference(place)
    except StartError as error:
        raise ValueError(str(error)) from None
    return place


BundlePlace = Annotated[Path | str, BeforeValidator(_bundle_place)]


class Settings(BaseSettings):
    """Read from ``CAPTIONFILL_<NAME>``; ``REDIS_URL``, ``HOST`` and ``PORT`` also go bare."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        populate_by_name=True,
        env_ignore_empty=True,
        hide_input_in_errors=True,  # a secret, or the password in a Redis URL
        allow_inf_nan=False,
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read options and the environment, without service links, under today's names."""
        assert isinstance(env_settings, EnvSettingsSource)
        env_settings.env_vars = _rename(
            {
                name: value
                for name, value in env_settings.env_vars.items()
                if value is None or not _SERVICE_LINK.fullmatch(value)
            }
        )
        return init_settings, env_settings

    redis_url: str | None = Field(
        None, repr=False, validation_alias=AliasChoices("CAPTIONFILL_REDIS_URL", "REDIS_URL")
    )
    host: str = Field("127.0.0.1", validation_alias=AliasChoices("CAPTIONFILL_HOST", "HOST"))
    port: int = Field(
        8000, ge=1, le=65535, validation_alias=AliasChoices("CAPTIONFILL_PORT", "PORT")
    )

    auth: Literal["auto", "on", "off"] = Field(
        "auto", description="API keys; auto asks for them where others than this host can connect"
    )
    published_on: str | None = Field(
        None, description="the address clients connect to, where that is not HOST (containers)"
    )
    keys_file: Path | None = Field(None, description="keys.jsonl in the data folder by default")
    rate_limit: float | None = Field(
        None, ge=0, description="requests a second of one caller, 0 for any; 20 with keys, else 0"
    )
    rate_burst: int = Field(60, ge=1, description="requests that may come at once")
    allowed_hosts: Names = Field((), description="names of this API besides localhost")
    cors_origins: Names = Field((), description="origins whose scripts may use this API; * for any")
    trusted_proxies: Names = Field(
        (), description="addresses or networks whose X-Forwarded-For, -Proto, -Host, -Prefix count"
    )
    root_path: str = Field(
        "", description="the path that a proxy publishes this API under, such as /fill"
    )
    max_requests: int = Field(1024, gt=0, description="concurrent requests; more get 503")
    max_caller_requests: int = Field(
        256,
        gt=0,
        description="concurrent requests of one caller, including event streams; more get 429",
    )
    header_timeout: float = Field(10, gt=0, description="for a client to send a request's headers")
    idle_timeout: float = Field(15, gt=0, description="after which an idle connection is closed")
    max_header_bytes: int = Field(32 * 1024, ge=1024, description="request line and headers")

    bundle: BundlePlace = Field(
        DEFAULT_BUNDLE, description="a folder, or hf://OWNER/NAME@REVISION of the Hub"
    )
    bundles: Annotated[tuple[BundlePlace, ...], NoDecode] = Field(
        (), description="more bundles to load, as a list like PATH's"
    )
    workers: int = Field(1, ge=1, le=1024, description="that `captionfill serve` starts")
    device: str = "cpu"
    engine: Literal["auto", "torch", "openvino", "openvino-f32"] = Field(
        "auto", description="what fills; auto is OpenVINO on a CPU where it can, else torch"
    )
    threads: int = Field(1, ge=1, description="images OpenVINO fills at one time, a thread each")
    data_folder: Path = Path(".captionfill")
    namespace: str = Field(
        "captionfill", pattern=r"^[^{}\s]{1,200}$", description="prefix of every Redis key"
    )

    max_bytes: int = Field(10 * 2**20, gt=0, description="of one request's body")
    max_pixels: int = Field(
        40_000_000, gt=0, description="of one picture, and of an answer's pictures together"
    )
    max_held_pixels: int = Field(
        200_000_000, gt=0, description="of all pictures that wait for their fill"
    )
    body_limits: dict[str, PositiveInt] = Field(
        {"/batches": 256 * 2**20, "/v1/images/edits": 20 * 2**20},
        description="bytes of a body, by the path of a route",
    )
    max_upload_bytes: int = Field(
        2**29,
        gt=0,
        description="of all bodies in hand, no less than the largest; one caller may have half",
    )
    temp_folder: Path | None = Field(
        None, description="takes uploads over 1 MB while they are in hand; TMPDIR by default"
    )
    batch_pictures: int = Field(256, gt=0, description="in one POST /batches")
    upload_timeout: float = Field(60, gt=0, description="for a client to send its request")
    image_threads: int = Field(2, gt=0, description="images decoded or encoded at the same time")

    queue_limit: int = Field(512, gt=0, description="jobs waiting or running; more get 503")
    batch_queue_limit: int = Field(10_000, gt=0, description="the same for batch jobs")
    request_timeout: float = Field(60, gt=0, description="from acceptance to answer; then 504")
    job_timeout: float = Field(3600, gt=0, description="the same for asynchronous jobs")
    result_seconds: float = Field(600, gt=0, description="a result stays in Redis this long")
    idempotency_seconds: float = Field(86_400, gt=0, description="an Idempotency-Key is known")
    dead_letter_seconds: float = Field(604_800, gt=0, description="a dead letter can be requeued")
    batch_limit: int = Field(8, gt=0, description="images in one batch")
    lease_seconds: float = Field(
        15, gt=0, description="tasks of a silent worker are reclaimed after this time"
    )
    max_deliveries: int = Field(
        5, gt=1, description="of a task, after which it becomes a dead letter"
    )
    drain_timeout: float = Field(
        65, gt=0, description="graceful shutdown: for running requests and batches to finish"
    )
    caller_bytes: int = Field(
        300 * 2**20,
        ge=0,
        description="bytes kept in Redis for one caller's background jobs; more get 429; 0 for any",
    )
    background_bytes: int = Field(
        2**30,
        ge=0,
        description="the same for all callers, where Redis has no maxmemory; more get 503",
    )
    reserved_memory: float = Field(
        0.2, ge=0, lt=1, description="share of Redis's maxmemory that background jobs leave free"
    )
    allow_eviction: bool = Field(
        False, description="accept a Redis that evicts keys: accepted jobs can then be lost"
    )
    queue_memory: str = Field(
        "1gb", pattern=r"^[1-9]\d{0,9}(mb|gb)$", description="of the embedded server"
    )
    queue_fsync: Literal["always", "everysec"] = Field(
        "always", description="of the embedded server: when a job is safe from a power cut"
    )
    listen_fd: int | None = Field(None, ge=0, description="a socket to listen on, inherited")
    ready_fd: int | None = Field(
        None, ge=0, description="a pipe on which the process reports that it is ready"
    )
    inference_timeout: float | None = Field(
        None,
        gt=0,
        description="for one batch; a quarter of request_timeout by default, at most a third",
    )
    model_failures: int = Field(
        3,
        gt=0,
        description="of a bundle in a row, after which it gets no tasks until a probe succeeds",
    )

    webhook_secret: SecretStr = Field(
        SecretStr(""), description="whsec_ and base64; several, apart by spaces, while rotating"
    )
    webhook_allow: str = Field("", description="hosts and networks besides the public ones")
    webhook_timeout: float = Field(10, gt=0, description="for one attempt")
    webhook_max_attempts: int = Field(
        6, gt=0, description="of a webhook, after which it is abandoned"
    )
    webhook_backoff: float = Field(
        10, gt=0, description="before the second attempt; four times as long before each next"
    )

    @field_validator("redis_url")
    @classmethod
    def _check_redis_url(cls, url: str | None) -> str | None:
        if url is not None:
            check_redis_url(url)
            register_secrets(secrets_of(url))
        return url

    @field_validator("*")
    @classmethod
    def _check_range(cls, value: Any, info: ValidationInfo) -> Any:
        is_time = (info.field_name or "").endswith(("_seconds", "_timeout", "_backoff"))
        most = _MOST_SECONDS if is_time else _MOST
        if isinstance(value, int | float) and value > most:
            raise ValueError(f"must be at most {most:,}")
        return value

    @field_validator("host", "published_on", "device", "allowed_hosts")
    @classmethod
    def _check_word(cls, value: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        for word in (value,) if isinstance(value, str) else value or ():
            if not re.fullmatch(r"[^\s/\x00-\x1f]+", word):
                raise ValueError("must be a name or an address: no scheme, no slash, no space")
        return value

    @field_validator("root_path")
    @classmethod
    def _check_root_path(cls, path: str) -> str:
        path = path.strip().rstrip("/")
        if path and not ROOT_PATH.fullmatch(path):
            raise ValueError("must be a path such as /fill, of letters, digits and ._~-")
        return path

    @field_validator("cors_origins")
    @classmethod
    def _check_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if origin != "*" and not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s/]+/?", origin):
                raise ValueError("an origin is scheme://host[:port], or * for any")
        return origins

    @field_validator("trusted_proxies")
    @classmethod
    def _check_proxies(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        for entry in entries:
            if entry != "*":
                ip_network(entry, strict=False)  # its error names the entry
        return entries

    @field_validator("bundles", mode="before")
    @classmethod
    def _split_bundles(cls, paths: object) -> object:
        return tuple(filter(None, _BETWEEN.split(paths))) if isinstance(paths, str) else paths

    @property
    def bundle_places(self) -> list[Path | str]:
        """Every bundle to load; the first is the default."""
        return [self.bundle, *self.bundles]

    @field_validator("allowed_hosts", "cors_origins", "trusted_proxies", mode="before")
    @classmethod
    def _split_names(cls, names: object) -> object:
        if isinstance(names, str):
            return tuple(name.strip() for name in names.split(",") if name.strip())
        return names

    @property
    def keys_path(self) -> Path:
        """The file of API keys."""
        return self.keys_file or self.data_folder / "keys.jsonl"

    @field_validator("webhook_secret")
    @classmethod
    def _check_webhook_secret(cls, secret: SecretStr) -> SecretStr:
        parse_secrets(secret.get_secret_value())
        register_secrets(secret.get_secret_value().split())
        return secret

    @field_validator("webhook_allow")
    @classmethod
    def _check_webhook_allow(cls, text: str) -> str:
        AllowList.parse(text)
        return text

    @model_validator(mode="after")
    def _check_inference_timeout(self) -> Self:
        # Beside an input that hangs others wait: for its batch, then for it alone, then for
        # themselves and the model's restarts.
        if 3 * self.batch_timeout > self.request_timeout:
            raise ValueError(
                f"CAPTIONFILL_INFERENCE_TIMEOUT ({self.batch_timeout:g}) must be at most a third "
                f"of CAPTIONFILL_REQUEST_TIMEOUT ({self.request_timeout:g}), or jobs beside an "
                "input that hangs get 504"
            )
        if self.model_failures >= self.max_deliveries:
            raise ValueError(
                f"CAPTIONFILL_MODEL_FAILURES ({self.model_failures}) must be less than "
                f"CAPTIONFILL_MAX_DELIVERIES ({self.max_deliveries}), or one failing worker uses "
                "up all tries of a job"
            )
        return self

    @property
    def batch_timeout(self) -> float:
        """After how long a batch is taken for hung."""
        return self.inference_timeout or self.request_timeout / 4

    @property
    def webhook_secrets(self) -> list[bytes]:
        """The keys that webhooks are signed with; without one, none is sent."""
        return parse_secrets(self.webhook_secret.get_secret_value())

    @property
    def queue_url(self) -> str:
        """The Redis to use where none is embedded: ``REDIS_URL``, or the one of this host."""
        return self.redis_url or "redis://localhost:6379/0"


def load_settings(**options: Any) -> Settings:
    """Settings from the environment, and from the options that are not None.

    Raises:
        StartError: a value is invalid; it names the environment variable.
    """
    given = {name: value for name, value in options.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place, *inner = first["loc"] or ("",)
        setting = _variables(str(place)) if place else "settings"
        within = "".join(f", {part}" for part in inner)
        message = first["msg"].removeprefix("Value error, ")
        raise StartError(f"{setting}{within}: {message}") from None
    except SettingsError as error:
        names = (name for name in Settings.model_fields if f'"{name}"' in str(error))
        raise StartError(f"{_variables(next(names, ''))}: not valid JSON") from None


def _rename(variables: Mapping[str, str | None]) -> dict[str, str | None]:
    """Give variables of older versions their present names; a present name wins."""
    found = dict(variables)  # names are in lower case
    for old, new in RENAMED.items():
        old_name, new_name = f"{_PREFIX}{old}".lower(), f"{_PREFIX}{new}".lower()
        if old_name in found:
            value = found.pop(old_name)
            found.setdefault(new_name, value)
            log.warning("%s%s is deprecated: use %s%s", _PREFIX, old, _PREFIX, new)
    return found


def _variables(place: str) -> str:
    """A setting as its user knows it, by the name of its field or by one of its variables."""
    for name, field in Settings.model_fields.items():
        alias = field.validation_alias
        known = [str(one) for one in alias.choices] if isinstance(alias, AliasChoices) else []
        variables = known or [f"{_PREFIX}{name}".upper()]
        if place in (name, *variables):
            return f"setting {name} ({' or '.join(variables)})"
    return f"setting {place}"
