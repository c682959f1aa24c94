"""`/metrics`, for Prometheus."""

from fastapi import APIRouter, Request, Response
from prometheus_client.exposition import choose_encoder

from captionfill.errors import CaptionfillError
from service.api.prometheus import HttpMetrics, scrape
from service.api.routes.dependencies import UsedSettings
from service.api.schemas.problems import problems
from service.queue.stats import read_stats

router = APIRouter()


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {
            "description": "Metrics for Prometheus.",
            "content": {
                "text/plain": {"schema": {"type": "string"}, "example": "captionfill_queue_up 1.0"}
            },
        },
        **problems(CaptionfillError),
    },
)
async def metrics(request: Request, settings: UsedSettings) -> Response:
    """Return the metrics of the queue, equal for all processes, and of this process's requests.

    `captionfill_queue_up` is 0 while Redis does not answer; the process's own metrics remain.
    """
    http: HttpMetrics = request.app.state.metrics
    encode, kind = choose_encoder(request.headers.get("accept", ""))
    body = encode(scrape(http, await read_stats(settings)))
    return Response(body, headers={"Content-Type": kind})
