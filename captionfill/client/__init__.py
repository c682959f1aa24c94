"""A client of the HTTP API with typed results, retries and Pillow images (extra `client`)."""

from captionfill.client.asynchronous import AsyncClient
from captionfill.client.client import Client
from captionfill.client.results import BatchResult, JobFailed, JobStatus, RemoteResult, ServiceError

__all__ = [
    "AsyncClient",
    "BatchResult",
    "Client",
    "JobFailed",
    "JobStatus",
    "RemoteResult",
    "ServiceError",
]
