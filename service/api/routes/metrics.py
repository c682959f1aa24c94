"""`/metrics`, for Prometheus."""

from fastapi import APIRouter, Request, Response
from prometheus_client.exposition import choose_encoder

from captionfill.errors import CaptionfillError
from service.api.prometheus import HttpMetrics, scrape
from service.api.schemas.problems import problems
from service.config.settings import Settings
from service.queue.stats import read_stats

router = APIRouter()


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {
            "description": "Figures for Prometheus.",
            "content": {
                "text/plain": {"schema": {"type": "string"}, "example": "captionfill_queue_up 1.0"}
            },
        },
        **problems(CaptionfillError),
    },
)
async def metrics(request: Request) -> Response:
    """Tell the figures of the queue, as any process would, and of this process's requests.

    `captionfill_queue_up` is 0 while Redis does not answer; the process's own figures stay.
    """
    settings: Settings = request.app.state.settings
    http: HttpMetrics = request.app.state.metrics
    encode, kind = choose_encoder(request.headers.get("accept", ""))
    told = encode(scrape(http, await read_stats(settings)))
    return Response(told, headers={"Content-Type": kind})
