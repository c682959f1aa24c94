"""Fill a photo, at once and as a job, with the client that openapi-python-client generates.

Usage: python fill.py ADDRESS KEY PHOTO RESULT JOB_RESULT
"""

import base64
import io
import sys
import time
from pathlib import Path

from captionfill_api import AuthenticatedClient
from captionfill_api.api.fill import inpaint_json
from captionfill_api.api.jobs import job_result_json, job_status
from captionfill_api.models import InpaintAnswer, InpaintJsonBody, JobStatus, Problem
from captionfill_api.types import File

address, key, photo, result, job_result = sys.argv[1:]
client = AuthenticatedClient(base_url=address, token=key)


def body(caption: str) -> InpaintJsonBody:
    """The form of a request, with the photo."""
    image = File(io.BytesIO(Path(photo).read_bytes()), "photo.png", "image/png")
    return InpaintJsonBody(image=image, caption=caption, seed=7)


answer = inpaint_json.sync(client=client, body=body("a dog runs through the grass"))
assert isinstance(answer, InpaintAnswer), answer
Path(result).write_bytes(base64.b64decode(answer.images[0]))

job = inpaint_json.sync(client=client, body=body("a cat"), prefer="respond-async")
assert isinstance(job, JobStatus), job
while job.state in ("queued", "running"):
    time.sleep(0.1)
    job = job_status.sync(job.id, client=client)
    assert isinstance(job, JobStatus), job
answer = job_result_json.sync(job.id, client=client)
assert isinstance(answer, InpaintAnswer), answer
Path(job_result).write_bytes(base64.b64decode(answer.images[0]))

problem = inpaint_json.sync(client=client, body=body(""))
assert isinstance(problem, Problem), problem
print(problem.detail)
