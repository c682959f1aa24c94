"""Call the service with requests: python fill_by_requests.py photo.jpg "a dog runs" filled.png."""

import base64
import os
import sys
from pathlib import Path

import requests

URL = os.environ.get("CAPTIONFILL_URL", "http://127.0.0.1:8000")
KEY = os.environ.get("CAPTIONFILL_KEY")  # where the service asks for one


def fill(photo, caption, **fields):
    """Return the filled photos as PNG, the best first. Fields: seed, n, detail, region, …."""
    answer = requests.post(
        f"{URL}/inpaint",
        files={"image": photo},
        data={"caption": caption, **fields},
        headers={"Accept": "application/json"}
        | ({"Authorization": f"Bearer {KEY}"} if KEY else {}),
        timeout=60,
    )
    if not answer.ok:
        sys.exit(answer.json()["detail"])  # a problem document, in words
    return [base64.b64decode(image) for image in answer.json()["images"]]


if __name__ == "__main__":
    photo, caption, out = sys.argv[1:]
    Path(out).write_bytes(fill(Path(photo).read_bytes(), caption, seed=7, n=4)[0])
