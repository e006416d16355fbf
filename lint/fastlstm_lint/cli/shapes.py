"""The command `shapes`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..shapes.document import Document

STDIN = "-"


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@click.option("--write", is_flag=True, help="Put the comments into the files.")
@click.option("--check", is_flag=True, help="Compare the shape comments in the files; exit 1 where one is wrong.")
@click.option("--stdin-filename", metavar="PATH", default="<stdin>", help="The name of the text read from -.")
def shapes(files: tuple[Path, ...], write: bool, check: bool, stdin_filename: str) -> None:
    """Print FILE with the inferred shape and axis meanings beside its lines. Nothing of it is executed.

    FILE is a program, a notebook or a folder of them; - is standard input. `# out: (B batch, T time, 2*H feature)`:
    an axis is its size and its meaning, ? is what is not known or differs between calls. In a function that is called
    in several ways, what all of them have in common is shown.

    Exit code: 0 done, 1 a comment is wrong or a file cannot be read, 2 misuse.
    """
    from ..shapes.lines import Unreadable
    from ..visible import visible, visible_lines

    if write and check:
        raise click.UsageError("--write and --check are separate runs")
    failed = False
    found = list(_texts(files, stdin_filename))
    for name, text in found:
        try:
            document = _read(text, name)
        except (Unreadable, OSError, SyntaxError, UnicodeDecodeError, LookupError) as error:
            click.echo(visible(f"{name}: {getattr(error, 'strerror', None) or error}"), err=True)
            failed = True
            continue
        if check:
            failed |= _check(document, name)
        elif write and isinstance(text, Path):
            _write(document, text)
        elif write:
            after = document.written()
            click.echo(visible_lines(after) if sys.stdout.isatty() else after, nl=False)
        else:
            if len(found) > 1:
                click.secho(visible(f"# === {name}"), bold=True)
            click.echo(document.shown(lambda comment: click.style(comment, fg="cyan")), nl=False)
    sys.exit(1 if failed else 0)


def _texts(files: tuple[Path, ...], stdin_filename: str) -> Iterator[tuple[str, Path | bytes]]:
    """Each file by its name: its path, or what standard input holds."""
    from ..config import ConfigError
    from ..files import discover
    from ..nearest import Nearest
    from ..visible import visible

    try:
        settings = Nearest()
        for file in files:
            if str(file) == STDIN:
                yield stdin_filename, sys.stdin.buffer.read()
                continue
            if not file.exists():
                raise click.UsageError(visible(f"no such file or folder: {file}"))
            named = not file.is_dir()
            for path in discover([str(file)], settings):
                if named or _worth_reading(path):
                    yield str(path), path
    except ConfigError as error:
        raise click.UsageError(visible(str(error))) from error


def _worth_reading(path: Path) -> bool:
    """Whether a file that was not named may hold tensors at all."""
    try:
        data = path.read_bytes()
    except OSError:
        return True
    return b"torch" in data or b"fastlstm" in data


def _read(text: Path | bytes, name: str) -> Document:
    from ..files import decode
    from ..shapes.document import Document
    from ..sources import Imports, SourceTree

    data = text.read_bytes() if isinstance(text, Path) else text
    imports = Imports(SourceTree([Path.cwd()]), name)
    return Document(data.decode("utf-8-sig") if name.endswith(".ipynb") else decode(data), name, imports)


def _check(document: Document, name: str) -> bool:
    from ..visible import visible

    wrong = document.contradictions()
    for place, message in wrong:
        click.echo(visible(f"{name}:{place}: {message}"))
    return bool(wrong)


def _write(document: Document, path: Path) -> None:
    from ..files import write
    from ..visible import visible

    after = document.written()
    if after != document.text:
        write(path, after)
        click.echo(visible(f"{path}: written"), err=True)
