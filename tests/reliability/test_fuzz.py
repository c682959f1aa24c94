"""The fuzzer, shortened; and a control that it must catch, with the very input kept."""

import re

import pytest

from tests.reliability.fuzz.child import run_input
from tests.reliability.fuzz.mutations import make_input
from tests.reliability.fuzz.seeds import SEEDS
from tests.reliability.fuzz.suite import Campaign, find_faults

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("target", "inputs"), [
        ("picture", 300), ("mask", 150), ("archive", 300), ("form", 300), ("token", 300),
        ("page", 300),
    ],
)  # fmt: skip
def test_mutated_files_break_no_reader(target, inputs, tmp_path):
    campaign = Campaign(target, tmp_path, seed=7).run(inputs)
    assert find_faults([campaign]) == [] and campaign.tried == inputs
    assert campaign.outcomes["taken"] > inputs / 50  # or the mutations reach no depth


@pytest.fixture(scope="module")
def control(tmp_path_factory):
    """A campaign against a decoder that crashes, hangs, dawdles and raises on markers.

    Its second of computing takes ten on a busy machine, and is no hang.
    """
    return Campaign("control", tmp_path_factory.mktemp("control"), seed=2, stall=20).run(60)


@pytest.mark.parametrize("what", [r"exit -11", r"hang", r"KeyError", r"1\.\d+ s"])
def test_a_decoder_that_misbehaves_is_caught(control, what):
    assert any(re.match(what, finding["what"]) for finding in control.findings)
    assert len(find_faults([control])) >= len(control.findings)


def test_the_very_input_that_crashed_is_kept(control):
    crash = next(finding for finding in control.findings if finding["what"] == "exit -11")
    kept = (control.folder / crash["kept"]).read_bytes()
    assert kept == make_input(2, crash["input"], SEEDS["control"]())[0]
    assert b"\xff\xff\xff\xff" in kept


def test_inputs_after_a_crash_are_tried(control):
    crash = next(finding for finding in control.findings if finding["what"] == "exit -11")
    assert control.tried > crash["input"] + 1


def test_every_seed_file_is_read_as_expected():
    outcomes = [run_input("picture", data)["outcome"] for data in SEEDS["picture"]()]
    assert outcomes.count("unsupported-picture") == 4  # BMP, TIFF, two animated
    assert sum(outcome.startswith("taken") for outcome in outcomes) == len(outcomes) - 4
