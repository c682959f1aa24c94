"""The `captionfill` command. Slow modules are imported by the command that needs them."""

import signal
import sys
import traceback
import warnings
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import typer

from captionfill.console import print_version
from captionfill.errors import CaptionfillError
from service.cli.keys import app as keys
from service.cli.queue import app as queue
from service.config.settings import load_settings
from service.errors.redaction import redact

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Fill the hidden centre of a picture from its surroundings and a caption.",
    epilog="Every setting is an environment variable: REDIS_URL, HOST, PORT, CAPTIONFILL_BUNDLE, "
    "CAPTIONFILL_DEVICE, CAPTIONFILL_DATA_FOLDER, … (service/config/settings.py lists them).",
)


Version = Annotated[
    bool,
    typer.Option(
        "--version", is_eager=True, callback=print_version, help="Print the version and exit."
    ),
]


@app.callback()
def options(version: Version = False) -> None:
    """Options of every command."""


app.add_typer(keys, name="keys")
app.add_typer(queue, name="queue")

Host = Annotated[str | None, typer.Option(help="Address to listen on; HOST, else 127.0.0.1.")]
Port = Annotated[int | None, typer.Option(help="Port to listen on; PORT, else 8000.")]
BundlePlace = Annotated[
    str | None,
    typer.Option(
        "--bundle", help="Folder, or hf://OWNER/NAME@REVISION; the shipped one by default."
    ),
]

EngineKind = Annotated[
    Literal["auto", "torch", "openvino", "openvino-f32"] | None,
    typer.Option("--engine", help="What fills; auto is OpenVINO on a CPU where it can."),
]


@app.command()
def serve(
    host: Host = None, port: Port = None, bundle: BundlePlace = None, engine: EngineKind = None
) -> None:
    """Run the whole service on this machine: queue, worker and API.

    Without REDIS_URL an embedded Valkey is started, with its data and all logs in .captionfill/
    of the current folder. Prints one line when ready. Ctrl-C stops everything, SIGHUP replaces API
    and workers by new processes without losing a request.
    """
    from service.auth.authentication import check_keys
    from service.supervisor.supervisor import serve as run

    settings = load_settings(host=host, port=port, bundle=bundle, engine=engine)
    check_keys(settings)
    run(settings, lambda line: print(line, flush=True))


@app.command()
def api(host: Host = None, port: Port = None) -> None:
    """Run the HTTP API alone; it needs REDIS_URL and, somewhere, a worker.

    REDIS_URL is redis://localhost:6379/0 by default. GET /readyz is 200 once a worker is there.
    Where others than this host can connect, API keys are needed: `captionfill keys new NAME`.
    """
    from service.api.server.server import run_api
    from service.auth.authentication import check_keys
    from service.config.machine import log_machine
    from service.observability import set_up_logs, set_up_tracing
    from service.queue.redis_check import check_redis
    from service.supervisor.spawn import notify_ready

    settings = load_settings(host=host, port=port)
    check_keys(settings)
    set_up_logs()
    check_redis(settings)
    set_up_tracing("api")
    log_machine(image_threads=settings.image_threads)
    run_api(settings, lambda: notify_ready(settings.ready_fd))


@app.command()
def worker(bundle: BundlePlace = None, engine: EngineKind = None) -> None:
    """Run one worker: load the bundle, take jobs from the queue at REDIS_URL, fill them.

    Start as many as there are devices. SIGTERM or Ctrl-C lets it finish the batch in hand.
    """
    import time

    from service.config.machine import log_machine
    from service.observability import set_up_logs, set_up_tracing
    from service.queue.consumer import Consumer
    from service.queue.redis_check import check_redis
    from service.supervisor.spawn import notify_ready
    from service.worker.batching import Batcher
    from service.worker.model_process import ModelProcess
    from service.worker.worker import Worker

    settings = load_settings(bundle=bundle, engine=engine)
    set_up_logs()
    check_redis(settings)
    set_up_tracing("worker")
    log_machine(workers=settings.workers, threads=settings.threads)
    policy = Batcher(settings.batch_limit, settings.lease_seconds, time.monotonic)
    options = (settings.bundle_places, settings.device, settings.batch_timeout, settings.engine,
               settings.threads)  # fmt: skip
    process = Worker(
        Consumer(settings), lambda: ModelProcess(*options), policy, settings.model_failures
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: process.stop())
    process.run(lambda: notify_ready(settings.ready_fd))


@app.command()
def fill(
    photo: Annotated[Path, typer.Argument(help="PNG, JPEG, WebP, AVIF or GIF; or a folder.")],
    caption: Annotated[str | None, typer.Argument(help="What it shows (not for a folder).")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="PNG to write; or a folder.")
    ] = None,
    region: Annotated[
        str | None, typer.Option(help="x,y,width,height to fill; the central half by default.")
    ] = None,
    mask: Annotated[
        Path | None,
        typer.Option(
            help="Picture of the same size: white pixels are filled, or transparent ones."
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=-1, max=2**32 - 1, help="Same seed, same answer; -1 is random."),
    ] = None,
    n: Annotated[
        int, typer.Option("--n", min=1, max=64, help="Candidates; the best gets the plain name.")
    ] = 1,
    compare: Annotated[
        str | None, typer.Option(help="A second caption, filled from the same noise.")
    ] = None,
    temperature: Annotated[
        float, typer.Option(min=0, max=1, help="Noise scale, 0 to 1; 0 is the mean prediction.")
    ] = 1.0,
    detail: Annotated[
        Literal["none", "surroundings"],
        typer.Option(help="Of a scaled fill: copied from its surroundings, or none."),
    ] = "surroundings",
    bundle: BundlePlace = None,
    engine: EngineKind = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a line of JSON for each picture.")
    ] = False,
) -> None:
    """Fill a picture without a server, or every picture of a folder with a captions file.

    A folder needs metadata.jsonl or metadata.csv with file_name and caption. Pictures that
    cannot be filled are named and passed over. Further candidates are written beside the best:
    filled-2.png, and filled-compare.png for a second caption.

    Example: captionfill fill cat.jpg "a cat on a chair" -o filled.png
    """
    if output is None:
        raise typer.BadParameter("say where to write with -o", param_hint="-o")
    if photo.is_dir() != (caption is None):
        raise typer.BadParameter("a picture needs a caption, a folder brings its own")
    if region is not None and mask is not None:
        raise typer.BadParameter("a mask takes the place of a region", param_hint="--mask")
    if photo.is_dir() and (n > 1 or compare is not None or mask is not None):
        raise typer.BadParameter("--n, --compare and --mask are for one picture, not for a folder")
    import json

    from service.cli.offline import LocalFiller

    settings = load_settings(bundle=bundle, engine=engine)
    chosen = None if seed == -1 else seed
    filler = LocalFiller(settings, region, mask, chosen, n, temperature, compare, detail)

    def report(facts: dict[str, Any]) -> None:
        if as_json:
            print(json.dumps(facts))

    if caption is None:
        summary = filler.fill_folder(photo, output, report)
        print(summary, file=sys.stderr if as_json else sys.stdout)
        return
    facts = filler.fill_photo(photo, caption, output)
    report(facts)
    if not as_json:
        print(*facts["files"], *facts["compare_files"], sep="\n")


def main() -> None:
    """Run the command; an error is one line on standard error, and status 1.

    A traceback is printed only for unexpected errors. No line contains a secret.
    """
    # Pillow warns of odd metadata in uploads, which has no effect here.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    try:
        app()
    except CaptionfillError as error:
        _end(f"captionfill: {_one_line(error)}")
    except OSError as error:  # a full disk, a folder that is gone or not ours
        place = f"{error.filename}: " if error.filename else ""
        _end(f"captionfill: {_one_line(f'{place}{error.strerror or error}')}")
    except Exception:
        _end(traceback.format_exc().rstrip())


def _one_line(message: object) -> str:
    # Redacted first: a secret with a line break would not be recognised afterwards.
    return " ".join(redact(str(message)).splitlines())


def _end(text: str) -> NoReturn:
    print(redact(text), file=sys.stderr)
    sys.exit(1)


if __name__ == "__main__":
    main()
