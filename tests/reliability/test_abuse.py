"""The abuse, shortened; and controls that it must see: what is wrong now and then, or said."""

import asyncio

import pytest

from tests.reliability.abuse.bad_http import WIRE
from tests.reliability.abuse.bad_requests import FORMS
from tests.reliability.abuse.suite import abuse
from tests.reliability.harness.service import running_service

pytestmark = pytest.mark.slow


def ill_treat(folder, requests, fault=""):
    with running_service(folder, fault) as (cluster, key):
        return asyncio.run(abuse(cluster, key, requests, seed=3))


def test_bad_requests_do_not_disturb_good_ones(tmp_path):
    figures = ill_treat(tmp_path, 200)
    assert figures["broken"] == []
    assert set(FORMS) | set(WIRE) <= set(figures["by_kind"])
    assert figures["answers"]["200"] > 100 and figures["bad"] == 67


@pytest.fixture(scope="module")
def control(tmp_path_factory):
    """What is found broken of a service that is wrong now and then, and tells too much."""
    folder = tmp_path_factory.mktemp("control")
    return ill_treat(folder, 100, "wrong-pixel,error,log")["broken"]


@pytest.mark.parametrize(
    "seen",
    ["pixels of the answer are wrong", "an answer of 500 or more", "a caption in the log"],
)
def test_a_service_with_a_fault_is_caught(control, seen):
    assert any(seen in words for words in control)
