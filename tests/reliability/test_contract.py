import json

import httpx
import pytest

from tests.helpers.ports import free_port
from tests.reliability.contract import pages
from tests.reliability.contract.defective_api import DEFECTS
from tests.reliability.contract.suite import run_contract, settings
from tests.reliability.harness.cluster import Cluster

pytestmark = pytest.mark.slow

BRIEF = ("examples", "fuzzing")


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cluster")
    chosen, users = settings(folder)
    with Cluster(folder, chosen) as cluster:
        port = free_port()
        cluster.api()
        cluster.worker()
        cluster._spawn(
            "broken", ["-m", "tests.reliability.contract.defective_api"], {"PORT": str(port)}
        )
        cluster.wait_until_ready()
        cluster.wait_until_ready(address=f"http://127.0.0.1:{port}")
        yield cluster.address, f"http://127.0.0.1:{port}", users


def test_every_operation_answers_as_the_document_says(service):
    good, _, users = service
    findings = run_contract(good, users, examples=4, seed=1, phases=BRIEF)
    assert findings.failures == {} and findings.errors == []
    operations = {name.rpartition(" ")[0] for name in findings.answers}
    assert len(operations) == 20 and findings.cases > 40
    assert {"POST /inpaint 202", "POST /batches 202", "POST /v1/images/edits 200"} <= set(
        findings.answers
    )


def test_pages_outside_the_document_are_whole(service):
    good, broken, _ = service
    assert {"/", "/docs", "/openapi.json", "/page/main.js"} <= set(pages.addresses())
    assert list(pages.find_faults(good)) == []
    faults = set(pages.find_faults(broken))
    assert faults == {"GET /: no policy", "GET /page/main.js: no nosniff"}


def test_head_is_answered_as_get_is(service):
    good, _, users = service
    [owner, _] = json.loads(users.read_text())["auth"]
    headers = {header["name"]: header["value"] for header in owner["fixedHeaders"]}
    with httpx.Client(base_url=good, headers=headers) as client:
        document = client.get("/openapi.json").json()
        known = {"job": "0", "batch": "0", "slug": "busy", "model": "0"}
        paths = [path.format(**known) for path, item in document["paths"].items() if "get" in item]
        for path in paths:
            full, head = client.get(path), client.head(path)
            assert (head.status_code, head.content) == (full.status_code, b""), path
            # The metrics count the requests for themselves, so that their length grows.
            names = ("content-type",) if path == "/metrics" else ("content-type", "content-length")
            assert [head.headers.get(name) for name in names] == [
                full.headers.get(name) for name in names
            ]
    assert len(paths) > 10


def test_every_lie_of_a_broken_service_is_found(service):
    _, broken, users = service
    phases, found = (*BRIEF, "stateful"), set()
    for seed in range(1, 7):  # a lie about rare requests may want more of them
        findings = run_contract(
            broken, users, examples=12, seed=seed, phases=phases, only=list(DEFECTS)
        )
        found |= {tuple(name.split(": ")[:2]) for name in findings.failures}
        assert findings.broken(least=0)
        if set(DEFECTS.items()) <= found:
            break
    assert set(DEFECTS.items()) <= found
