"""What the log and the metrics record of a request."""

from dataclasses import dataclass


@dataclass
class RequestRecord:
    """A request and what was answered, for the log and the metrics.

    Attributes:
        method: of HTTP; anything unusual is "other", or a client could make up metrics.
        route: the template of the path, such as /jobs/{job_id}; "none" where there is no route.
        status: of the answer; 0 where there was none.
        seconds: from the headers' arrival to the last byte handed to the connection.
        bytes: of the answer's body.
        problem: the slug of the answer's problem document, if it is one.
    """

    method: str
    route: str = "none"
    status: int = 0
    seconds: float = 0.0
    bytes: int = 0
    problem: str | None = None
