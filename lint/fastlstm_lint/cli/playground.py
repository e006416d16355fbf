"""The command `playground`."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import click

from ..visible import visible


@click.command()
@click.argument("start", metavar="[FILE|LINK]", required=False)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="The port to listen on; any free one by default."
)
@click.option("--browser/--no-browser", default=True, help="Whether to open the page; its address is printed.")
def playground(start: str | None, port: int, browser: bool) -> None:
    """Open a page to paste a model into: shapes beside its lines, findings with pictures, fixes.

    FILE is a program to begin with, LINK one that was copied from such a page. The page is served to this machine alone
    while the command runs: on 127.0.0.1, under an address that holds a token. Nothing is executed or kept.
    """
    from ..playground.desk import Desk
    from ..playground.server import Server

    fragment = "" if start is None else _fragment(start)
    try:
        desk = Desk()
        server = Server(desk.ask, port)
    except OSError as error:
        raise click.ClickException(f"port {port}: {error.strerror}") from error
    address = server.url + fragment
    try:
        desk.start()
        click.echo(server.url)
        click.echo("Ctrl-C ends it.", err=True)
        if browser:
            webbrowser.open(address)
        server.serve_forever()
    except KeyboardInterrupt:
        click.echo(err=True)
    finally:
        server.server_close()
        desk.close()


def _fragment(start: str) -> str:
    """What stands behind the address for a link or a file."""
    from .. import disk
    from ..files import decode
    from ..playground.answers import LARGEST
    from ..playground.links import fragment, fragment_of

    given = fragment_of(start)
    if given is not None:
        return given
    try:
        data = disk.read(Path(start), LARGEST)
        return fragment(decode(data))
    except OSError as error:
        raise click.UsageError(visible(f"{start}: {error.strerror}, and no link of a page")) from error
    except Exception as error:  # a codec may raise anything
        raise click.UsageError(visible(f"{start}: cannot be decoded")) from error
