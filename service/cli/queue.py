"""`captionfill queue`: status, drain, dead letters and requeue."""

import asyncio
import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from captionfill.errors import StartError
from service.config.settings import Settings, load_settings
from service.errors.queue import QueueUnavailable

if TYPE_CHECKING:
    from service.queue.redis_keys import RedisKeys

app = typer.Typer(
    no_args_is_help=True,
    help="Show the queue, drain it, and manage dead letters. The queue is the one of "
    "REDIS_URL; without that, the one that `captionfill serve` started in this folder.",
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def status(as_json: AsJson = False) -> None:
    """Show waiting and running tasks by priority, live workers, dead letters and counters."""
    state = _state(_settings())
    if as_json:
        facts = asdict(state)
        # Scripts read these names.
        names = {"lanes": facts.pop("priorities"), "dead": facts.pop("dead_letters")}
        print(json.dumps({**names, **facts}))
        return
    print(f"{'priority':12} {'waiting':>8} {'running':>8} {'oldest':>10}")
    for name, priority in state.priorities.items():
        unfinished = priority.waiting + priority.running
        oldest = f"{priority.oldest_ms / 1000:.1f} s" if unfinished else "-"
        print(f"{name:12} {priority.waiting:8} {priority.running:8} {oldest:>10}")
    sick = f" ({state.unhealthy} unhealthy)" if state.unhealthy else ""
    print(f"workers {state.workers}{sick}, dead letters {state.dead_letters}")
    print("draining: new jobs are refused" if state.draining else "new jobs are accepted")
    print(", ".join(f"{name} {n:g}" for name, n in sorted(state.counts.items()) if ":" not in name))


@app.command()
def drain(
    off: Annotated[bool, typer.Option("--off", help="Accept new jobs again.")] = False,
    wait: Annotated[
        float, typer.Option(min=0, help="Seconds to wait for the queue to be empty.")
    ] = 0,
) -> None:
    """Refuse new jobs in every API process, and let the workers finish the queue.

    New requests get 503 until `captionfill queue drain --off`. With --wait the exit status is 1 if
    tasks are left after that time.
    """
    settings = _settings()
    with _redis(settings) as (client, keys):
        client.delete(keys.draining) if off else client.set(keys.draining, 1)
    if off:
        print("new jobs are accepted")
        return
    left = _wait_until_empty(settings, wait)
    print(f"no new job is taken; {left} left" if left else "no new job is taken; nothing is left")
    if wait and left:
        raise typer.Exit(1)


@app.command("dead-letters")
def dead_letters(
    as_json: AsJson = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest first.")] = 100,
) -> None:
    """List dead letters: entry, time, priority, task id and reason."""
    for letter in _letters(_settings(), limit):
        if as_json:
            print(json.dumps(letter))
        else:
            print("  ".join((letter["entry"], letter["at"], letter["lane"], letter["work"][:12])))
            print(f"    {letter['reason']}")


@app.command()
def requeue(
    entries: Annotated[
        list[str] | None, typer.Argument(help="Entries as listed by dead-letters.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Requeue all dead letters.")] = False,
) -> None:
    """Put dead letters back into the queue. Clients that still wait get the new result.

    The exit status is 1 if a letter or its task no longer exists.
    """
    from service.queue.consumer import Consumer

    settings = _settings()
    chosen = [each["entry"] for each in _letters(settings, None)] if everything else entries or []
    if not chosen and not everything:
        raise typer.BadParameter("name entries, or say --all")
    with _report_unavailable():
        consumer = Consumer(settings)
        gone = [entry for entry in chosen if not consumer.requeue(_checked(entry))]
    print(f"put back {len(chosen) - len(gone)} of {len(chosen)}")
    for entry in gone:
        print(f"gone: {entry}")
    if gone:
        raise typer.Exit(1)


def _settings() -> Settings:
    """Load the settings. Without REDIS_URL use the embedded server of this folder."""
    from service.supervisor.embedded_redis import running_url

    # The message of the command has the reason. Without a handler Python prints the log as well.
    logging.getLogger("captionfill").addHandler(logging.NullHandler())
    settings = load_settings()
    if settings.redis_url is not None:
        return settings
    url = running_url(settings.data_folder) or settings.queue_url
    return settings.model_copy(update={"redis_url": url})


def _state(settings: Settings) -> Any:
    from service.queue.stats import read_stats

    state = asyncio.run(read_stats(settings))
    if not state.up:
        raise QueueUnavailable(f"{_place()} does not answer: {state.reason}")
    return state


def _place() -> str:
    """Describe which queue was used."""
    if load_settings().redis_url is not None:
        return "the queue at REDIS_URL"
    return "the queue (no REDIS_URL; that of `captionfill serve` in this folder, else localhost)"


def _wait_until_empty(settings: Settings, seconds: float) -> int:
    """Wait until the queue is empty, or for ``seconds``. Returns the number of tasks left."""
    deadline = time.monotonic() + seconds
    while True:
        left: int = sum(
            priority.waiting + priority.running for priority in _state(settings).priorities.values()
        )
        if not left or time.monotonic() >= deadline:
            return left
        time.sleep(0.2)


def _letters(settings: Settings, limit: int | None) -> list[dict[str, str]]:
    with _redis(settings) as (client, keys):
        found = client.xrevrange(keys.dead_letters, count=limit)
    return [_letter(entry, fields) for entry, fields in found]


def _letter(entry: bytes, fields: dict[bytes, bytes]) -> dict[str, str]:
    at = datetime.fromtimestamp(int(entry.split(b"-")[0]) / 1000, UTC)
    texts = {name.decode(): value.decode() for name, value in fields.items()}
    return {"entry": entry.decode(), "at": at.isoformat(timespec="seconds"), **texts}


def _checked(entry: str) -> str:
    numbers = entry.split("-")
    if len(numbers) != 2 or not all(number.isdecimal() for number in numbers):
        raise StartError(f"{entry[:40]!r} is no entry: see `captionfill queue dead-letters`")
    return entry


@contextmanager
def _redis(settings: Settings) -> Iterator[tuple[Any, "RedisKeys"]]:
    import redis

    from service.queue.redis_keys import RedisKeys
    from service.redis.client import CONNECTION

    with _report_unavailable(), redis.Redis.from_url(settings.queue_url, **CONNECTION) as client:
        yield client, RedisKeys(settings.namespace)


@contextmanager
def _report_unavailable() -> Iterator[None]:
    """Raise errors of Redis as `QueueUnavailable`."""
    from redis.exceptions import RedisError

    from service.redis.client import reason_of

    try:
        yield
    except (RedisError, OSError) as error:
        raise QueueUnavailable(f"{_place()} does not answer: {reason_of(error)}") from error
