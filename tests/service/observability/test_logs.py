import json
import logging

from service.observability import JsonFormatter, bound


def test_a_line_is_json_with_its_extras():
    record = logging.makeLogRecord({"name": "n", "msg": "batch %d", "args": (3,), "images": 8})
    line = json.loads(JsonFormatter().format(record))
    assert (line["event"], line["images"], line["logger"]) == ("batch 3", 8, "n")


def test_a_traceback_stays_on_the_line():
    try:
        1 / 0  # noqa: B018
    except ZeroDivisionError as error:
        record = logging.makeLogRecord({"exc_info": (type(error), error, None)})
    line = JsonFormatter().format(record)
    assert "\n" not in line and "ZeroDivisionError" in json.loads(line)["traceback"]


def line_now():
    return json.loads(JsonFormatter().format(logging.makeLogRecord({"msg": "x"})))


def test_bound_fields_are_on_every_line_within_only():
    with bound(request_id="one"):
        with bound(job="two"):
            assert (line_now()["request_id"], line_now()["job"]) == ("one", "two")
        assert "job" not in line_now()
    assert "request_id" not in line_now()
