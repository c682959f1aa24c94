"""The suite of faults, shortened: each promise under its fault, and a control that must fail."""

import json

import pytest

from tests.reliability.faults.suite import broken_bounds, parse, run

pytestmark = [pytest.mark.server, pytest.mark.timeout(200)]

SHORT = ["--jobs", "100", "--seconds", "0.03", "--rounds", "2", "--away", "2", "--every", "1"]
CASES = [
    "kills",
    "blips",
    "reclaim",
    "api",
    "rolling",
    "queue-away",
    "poison",
    "poison-kills-worker",
    "full",
]


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_nothing_is_lost_by_the_fault(case):
    figures, faults = run(parse([*SHORT, "--only", case]))
    assert faults == [], json.dumps(figures)


@pytest.mark.slow
def test_the_suite_sees_a_worker_that_loses_jobs():
    figures, faults = run(parse([*SHORT, "--only", "kills", "--lossy"]))
    assert figures["kills"]["lost"] == 2 and any("lost is 2" in fault for fault in faults)


@pytest.mark.slow
def test_the_suite_sees_a_worker_that_leaks_leases():
    _, faults = run(parse([*SHORT, "--only", "blips", "--leaky"]))
    assert any("lost is" in fault for fault in faults)


def test_suite_detects_a_result_stored_twice():
    good = {"asked": 1, "right": 1, "results": 1, "workers_killed": 1, "lost": 0, "wrong": 0}
    assert broken_bounds("kills", good) == []
    assert broken_bounds("kills", {**good, "stored_more_than_once": 1})
    assert broken_bounds("kills", {**good, "workers_killed": 0})


def test_a_fault_while_nothing_was_asked_proves_nothing():
    good = {"asked": 1, "right": 1, "results": 1, "api_killed": 1, "open_requests": [3]}
    assert broken_bounds("api", good) == []
    assert broken_bounds("api", {**good, "open_requests": [0]})
    assert broken_bounds("api", {**good, "api_killed": 0, "open_requests": []})
