"""Settings of the queue: its Redis, and how long and how much it keeps."""

from typing import Literal

from pydantic import AliasChoices, BaseModel, Field, field_validator

from service.errors.redaction import register_secrets
from service.redis.url import check_redis_url, secrets_of


class QueueSettings(BaseModel):
    """Settings of the queue: its Redis, and how long and how much it keeps."""

    redis_url: str | None = Field(
        None, repr=False, validation_alias=AliasChoices("CAPTIONFILL_REDIS_URL", "REDIS_URL")
    )
    namespace: str = Field(
        "captionfill", pattern=r"^[^{}\s]{1,200}$", description="prefix of every Redis key"
    )
    queue_limit: int = Field(512, gt=0, description="jobs waiting or running; more get 503")
    batch_queue_limit: int = Field(10_000, gt=0, description="the same for batch jobs")
    request_timeout: float = Field(60, gt=0, description="from acceptance to answer; then 504")
    job_timeout: float = Field(3600, gt=0, description="the same for asynchronous jobs")
    result_seconds: float = Field(600, gt=0, description="a result stays in Redis this long")
    idempotency_seconds: float = Field(86_400, gt=0, description="an Idempotency-Key is known")
    dead_letter_seconds: float = Field(604_800, gt=0, description="a dead letter can be requeued")
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

    @field_validator("redis_url")
    @classmethod
    def _check_redis_url(cls, url: str | None) -> str | None:
        if url is not None:
            check_redis_url(url)
            register_secrets(secrets_of(url))
        return url

    @property
    def queue_url(self) -> str:
        """The Redis to use where none is embedded: ``REDIS_URL``, or the one of this host."""
        return self.redis_url or "redis://localhost:6379/0"
