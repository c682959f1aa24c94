import asyncio
import json
import logging

from service.observability.logs import JsonFormatter, bind, bound


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


def test_tasks_do_not_share_what_they_bind():
    async def task(name):
        bind(job=name)
        await asyncio.sleep(0.01)
        return line_now()["job"]

    async def both():
        return await asyncio.gather(task("one"), task("two"))

    assert asyncio.run(both()) == ["one", "two"]
