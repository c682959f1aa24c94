import os
import signal

import pytest
import redis

from captionfill.errors import StartError
from service.supervisor.embedded_redis import EmbeddedRedis

pytestmark = pytest.mark.server


def test_what_was_written_is_there_after_a_restart(tmp_path):
    first = EmbeddedRedis(tmp_path)
    redis.Redis.from_url(first.url).set("job", "1")
    first.stop()
    second = EmbeddedRedis(tmp_path)
    kept = redis.Redis.from_url(second.url).get("job")
    second.stop()
    assert kept == b"1"


def test_second_server_for_one_folder_is_refused(tmp_path):
    server = EmbeddedRedis(tmp_path)
    with pytest.raises(StartError, match="another captionfill"):
        EmbeddedRedis(tmp_path)
    server.stop()


def test_server_whose_parent_died_is_replaced(tmp_path):
    orphan = EmbeddedRedis(tmp_path)
    orphan._lock.close()
    heir = EmbeddedRedis(tmp_path)
    assert orphan.process.wait(30) == 0 and redis.Redis.from_url(heir.url).ping()
    heir.stop()


def test_socket_of_a_killed_server_is_no_obstacle(tmp_path):
    server = EmbeddedRedis(tmp_path)
    os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait()
    server._lock.close()
    heir = EmbeddedRedis(tmp_path)
    assert redis.Redis.from_url(heir.url).ping()
    heir.stop()


def test_a_long_path_gets_a_short_socket(tmp_path):
    server = EmbeddedRedis(tmp_path / ("x" * 120))
    assert redis.Redis.from_url(server.url).ping()
    server.stop()
