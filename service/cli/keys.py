"""`captionfill keys`: make, list and revoke API keys. A running API sees each change at once."""

import sys
from typing import Annotated

import typer

from service.auth.api_keys import ApiKey, ApiKeyFile
from service.config.settings import load_settings

app = typer.Typer(no_args_is_help=True, help="Make, list and revoke API keys.")


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Whose key: the owner of the jobs it sends.")],
    admin: Annotated[bool, typer.Option("--admin", help="May also reload bundles.")] = False,
    rate: Annotated[
        float | None, typer.Option(min=0, help="Requests a second; 0 for any number.")
    ] = None,
) -> None:
    """Make a key and print it. It is shown this once: only its SHA-256 is kept.

    A name may have several keys. To rotate one, make the new one, hand it over, and revoke the
    old one by its id (`captionfill keys list`).
    """
    file = ApiKeyFile(load_settings().keys_path)
    print(file.create(name, admin=admin, rate=rate))
    print(f"kept as a hash in {file.path}; this is the only time it is shown", file=sys.stderr)


@app.command("list")
def list_keys() -> None:
    """List every key: id, name, role, rate and when it was made."""
    for key in ApiKeyFile(load_settings().keys_path).read():
        print(_line(key))


@app.command()
def revoke(
    name: Annotated[str, typer.Argument(help="A name, for all its keys; or the id of one key.")],
) -> None:
    """Take keys away. A running API refuses them from the next request on."""
    for key in ApiKeyFile(load_settings().keys_path).revoke(name):
        print(f"revoked {_line(key)}")


def _line(key: ApiKey) -> str:
    rate = "" if key.rate is None else f"{key.rate:g}/s"
    return f"{key.id}  {key.name:20}  {'admin' if key.admin else '':5}  {rate:>6}  {key.created}"
