"""The ``webhooks`` section of the OpenAPI document."""

from typing import Annotated, Any, Literal

from fastapi import FastAPI, Header, Response
from pydantic import BaseModel, Field


class EndedJob(BaseModel):
    """A job that has ended."""

    job_id: str
    status: Literal["done", "failed", "cancelled", "expired", "lost"]
    result: str = Field(examples=["/jobs/…/result"], description="where its result is, if done")


class JobEvent(BaseModel):
    """What a webhook says: enough to fetch the result with, and nothing of the picture."""

    type: Literal["job.done", "job.failed", "job.cancelled", "job.expired", "job.lost"]
    timestamp: str = Field(examples=["2030-01-31T12:00:00.000+00:00"])
    data: EndedJob


def describe_webhooks(app: FastAPI) -> None:
    """Add the webhook to an application's OpenAPI document."""
    answers: dict[int | str, dict[str, Any]] = {
        "2XX": {"description": "It is delivered."},
        410: {"description": "No more of it: it is given up at once."},
        "default": {"description": "It is sent again, later and later."},
    }

    @app.webhooks.post("job-ended", status_code=204, response_class=Response, responses=answers)
    def job_ended(
        event: JobEvent,
        webhook_id: Annotated[str, Header(description="the same for each attempt")],
        webhook_timestamp: Annotated[int, Header(description="of the attempt, seconds since 1970")],
        webhook_signature: Annotated[str, Header(description="v1,base64; one or more, by spaces")],
    ) -> None:
        """Tell the address in a job's field `webhook` that the job has ended, at least once.

        Signed as Standard Webhooks 1.0.0: HMAC-SHA256 over id, timestamp and body.
        """
