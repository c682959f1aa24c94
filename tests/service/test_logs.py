import json
import logging

from service.logs import JsonFormatter


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
