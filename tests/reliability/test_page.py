import json

from tests.reliability.page import PLACE, WORDS, page


def test_the_page_of_figures_is_in_step_with_what_was_measured():
    assert (PLACE.parent / "reliability.md").read_text(encoding="utf-8") == page()


def test_every_suite_has_left_figures_of_a_whole_run_that_broke_no_bound():
    for name in WORDS:
        record = json.loads((PLACE / f"{name}.json").read_text(encoding="utf-8"))
        assert record["figures"] and not record["figures"].get("broken")
