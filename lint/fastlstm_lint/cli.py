"""`fastlstm lint`. Nothing heavy is imported before there are files to read: `--help` stays under 0.3 s."""

from __future__ import annotations

import sys
from pathlib import Path

import click

CLEAN, FOUND, MISUSED = 0, 1, 2
FORMAT_NAMES = ("text", "json")


def _split(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """`--select FL2,FL310` and repeated options alike."""
    return tuple(code.strip().upper() for each in value for code in each.split(",") if code.strip())


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("paths", nargs=-1, type=click.Path())
@click.option("--output-format", type=click.Choice(FORMAT_NAMES), default="text", help="How findings are printed.")
@click.option("--select", multiple=True, callback=_split, help="Codes or prefixes to look for, instead of the default.")
@click.option("--extend-select", multiple=True, callback=_split, help="Codes or prefixes to add.")
@click.option("--ignore", multiple=True, callback=_split, help="Codes or prefixes to leave out.")
@click.option("--exclude", multiple=True, help="Files or folders to leave out, as patterns.")
@click.option("--config", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A pyproject.toml.")
@click.option("--exit-zero", is_flag=True, help="Exit with 0 even if there are findings.")
def lint(
    paths: tuple[str, ...],
    output_format: str,
    select: tuple[str, ...],
    extend_select: tuple[str, ...],
    ignore: tuple[str, ...],
    exclude: tuple[str, ...],
    config: Path | None,
    exit_zero: bool,
) -> None:
    """Find wrong axes in recurrent PyTorch and fastlstm code, without running it.

    PATHS are files or folders. Exit code: 0 clean, 1 findings, 2 misuse.
    """
    from .config import ConfigError, find_config, load_settings, override
    from .files import discover
    from .report import FORMATS
    from .run import check_files

    if not paths:
        raise click.UsageError("name at least one file or folder")
    missing = [path for path in paths if not Path(path).exists()]
    if missing:
        raise click.UsageError(f"no such file or folder: {missing[0]}")
    try:
        settings = load_settings(config or find_config(Path.cwd()))
        settings = override(settings, select=select, extend_select=extend_select, ignore=ignore, exclude=exclude)
        settings.validate()
    except ConfigError as error:
        raise click.UsageError(str(error)) from error
    findings, sources = check_files(list(discover(paths, settings)), settings)
    text = FORMATS[output_format](findings, sources)
    if text:
        click.echo(text)
    elif output_format == "text":
        click.echo("no findings", err=True)
    sys.exit(CLEAN if exit_zero or not findings else FOUND)
