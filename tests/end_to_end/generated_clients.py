"""Generate clients from docs/openapi.json and fill a picture with each, at once and as a job.

`python -m tests.end_to_end.generated_clients TOOLS` takes the folder into which `make clients`
has installed the generators. A warning of a generator ends it.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from tests.reliability.harness.cluster import ROOT
from tests.reliability.harness.service import running_service

EXAMPLES = ROOT / "docs" / "examples" / "generated-clients"
DOCUMENT = ROOT / "docs" / "openapi.json"
# The fill of a hole of 32×32 pixels is not scaled, so that its level is known.
SIZE, SEED = (64, 64), 7


def make_python_client(tools: Path, work: Path) -> list[str]:
    """Generate with openapi-python-client; the command that uses the client."""
    places = {
        "--path": DOCUMENT,
        "--output-path": work / "captionfill_api",
        "--config": EXAMPLES / "openapi-python-client.yml",
    }
    named = [part for pair in places.items() for part in pair]
    generator = tools / "venv/bin/openapi-python-client"
    run([generator, "generate", "--fail-on-warning", "--meta", "none", *named])
    shutil.copy(EXAMPLES / "fill.py", work)
    return [str(tools / "venv/bin/python"), str(work / "fill.py")]


def make_typescript_client(tools: Path, work: Path) -> list[str]:
    """Generate with openapi-typescript and check the types; the command that uses the client."""
    for name in ("fill.ts", "tsconfig.json", "package.json"):
        shutil.copy(EXAMPLES / name, work)
    (work / "node_modules").symlink_to(tools / "node_modules")
    programs = tools / "node_modules/.bin"
    run([programs / "openapi-typescript", DOCUMENT, "--output", work / "captionfill.d.ts"])
    run([programs / "tsc", "--project", work])
    return ["node", str(work / "fill.js")]


def run(command: Sequence[str | Path]) -> str:
    """Run a command; its output. One that fails or warns ends the program."""
    done = subprocess.run(
        list(map(str, command)),
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode or "warn" in done.stdout.lower():
        sys.exit(f"{Path(command[0]).name} failed:\n{done.stdout}")
    return done.stdout


def use(command: list[str], address: str, key: str, work: Path) -> None:
    """Run a client, and check the pictures that it saved and the problem that it printed."""
    photo, results = work / "photo.png", [work / "result.png", work / "job.png"]
    Image.new("RGB", SIZE, (200, 40, 40)).save(photo)
    found = run([*command, address, key, photo, *results])
    assert "caption is blank" in found, found
    for result in results:
        with Image.open(result) as image:
            pixels = np.array(image)
        assert pixels.shape == (64, 64, 3), pixels.shape
        assert (pixels[0, 0] == (200, 40, 40)).all() and (pixels[32, 32] == SEED).all()


def main() -> None:
    """Make and use each client."""
    tools = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        with running_service(place) as (cluster, key):
            for make in (make_python_client, make_typescript_client):
                work = place / make.__name__
                work.mkdir()
                use(make(tools, work), cluster.address, key, work)
                print(f"{make.__name__}: used")


if __name__ == "__main__":
    main()
