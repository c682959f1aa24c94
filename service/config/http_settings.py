"""Settings of the HTTP server: where it listens, who may connect, and how much at a time."""

import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AliasChoices, BaseModel, Field, field_validator
from pydantic_settings import NoDecode

# A list is written a,b,c in the environment.
Names = Annotated[tuple[str, ...], NoDecode]

# A path of plain segments, each after a slash; none of them is . or ..
ROOT_PATH = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)+")


class HttpSettings(BaseModel):
    """Settings of the HTTP server: where it listens, who may connect, and how much at a time."""

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
    upload_timeout: float = Field(60, gt=0, description="for a client to send its request")
    listen_fd: int | None = Field(None, ge=0, description="a socket to listen on, inherited")
    ready_fd: int | None = Field(
        None, ge=0, description="a pipe on which the process reports that it is ready"
    )

    @field_validator("allowed_hosts", "cors_origins", "trusted_proxies", mode="before")
    @classmethod
    def _split_names(cls, names: object) -> object:
        if isinstance(names, str):
            return tuple(name.strip() for name in names.split(",") if name.strip())
        return names

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
