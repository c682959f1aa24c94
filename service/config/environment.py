"""Environment variables: their prefix, their names in older versions, and what is none of ours."""

import logging
import re
from collections.abc import Mapping

PREFIX = "CAPTIONFILL_"
# What Kubernetes and Docker put into the environment for a service of this name:
# CAPTIONFILL_PORT=tcp://10.0.0.1:8000. No setting looks like that.
SERVICE_LINK = re.compile(r"(tcp|udp|sctp)://\S+:\d+")
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


def rename_variables(variables: Mapping[str, str | None]) -> dict[str, str | None]:
    """Give variables of older versions their present names; a present name wins."""
    found = dict(variables)  # names are in lower case
    for old, new in RENAMED.items():
        old_name, new_name = f"{PREFIX}{old}".lower(), f"{PREFIX}{new}".lower()
        if old_name in found:
            value = found.pop(old_name)
            found.setdefault(new_name, value)
            log.warning("%s%s is deprecated: use %s%s", PREFIX, old, PREFIX, new)
    return found
