"""The command `lint`. Nothing heavy is imported before there are files to read: `--help` stays under 0.3 s."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..color import WHEN, wanted

FORMAT_NAMES = ("text", "concise", "json", "github", "gitlab", "sarif", "junit")


def _split(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """`--select FL2,FL310` and repeated options alike."""
    return tuple(code.strip() for each in value for code in each.split(",") if code.strip())


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("paths", nargs=-1, type=click.Path())
@click.option(
    "--output-format", "--format", type=click.Choice(FORMAT_NAMES), default="text", help="How findings are printed."
)
@click.option("--output-file", "-o", type=click.Path(dir_okay=False, path_type=Path), help="Print them there.")
@click.option("--color", type=click.Choice(WHEN), default="auto", help="NO_COLOR and FORCE_COLOR are heard, too.")
@click.option("--quiet", "-q", is_flag=True, help="Print findings and nothing else.")
@click.option("--select", multiple=True, callback=_split, help="Codes, prefixes or names, instead of the default.")
@click.option("--extend-select", multiple=True, callback=_split, help="Codes, prefixes or names to add.")
@click.option("--ignore", multiple=True, callback=_split, help="Codes, prefixes or names to leave out.")
@click.option("--migrate", is_flag=True, help="Look for torch's layers that fastlstm has as well, and nothing else.")
@click.option("--fix", is_flag=True, help="Apply the fixes that change no result.")
@click.option("--unsafe-fixes", is_flag=True, help="With --fix or --diff: those that change results as well.")
@click.option("--diff", is_flag=True, help="Show what the fixes would change; write nothing.")
@click.option("--add-noqa", is_flag=True, help="Put a noqa comment on every line with a finding.")
@click.option("--baseline", type=click.Path(dir_okay=False, path_type=Path), help="Hide the findings in this file.")
@click.option("--write-baseline", is_flag=True, help="Write today's findings into the baseline.")
@click.option("--statistics", is_flag=True, help="Print how often each rule was found, not where.")
@click.option("--exclude", multiple=True, help="Files or folders to leave out, as patterns.")
@click.option("--force-exclude", is_flag=True, help="Leave excluded files out even if they are named.")
@click.option("--no-respect-gitignore", is_flag=True, help="Read files that git ignores, too.")
@click.option("--config", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A pyproject.toml.")
@click.option("--stdin-filename", metavar="PATH", help="The name of the text read from standard input.")
@click.option("--jobs", "-j", type=click.IntRange(min=1), help="Processes to use; all cores by default.")
@click.option("--no-cache", is_flag=True, help="Check every file again.")
@click.option("--cache-dir", type=click.Path(file_okay=False, path_type=Path), help="Where findings are kept.")
@click.option("--watch", is_flag=True, help="Look again whenever a file or its settings change.")
@click.option("--strict", is_flag=True, help="Exit with 1 for advice on speed, too (--select FL8).")
@click.option("--exit-zero", is_flag=True, help="Exit with 0 even if there are findings.")
@click.pass_context
def lint(context: click.Context, /, paths: tuple[str, ...], migrate: bool, color: str, **options: object) -> None:
    """Find wrong axes in recurrent PyTorch and fastlstm code, without running it.

    PATHS are files, notebooks or folders, the current folder by default; - is standard input. Only --fix writes into
    them. Exit code: 0 clean, 1 findings, 2 misuse. `fastlstm rules` lists what is looked for.
    """
    context.color = wanted(color)
    if migrate and (options["select"] or options["extend_select"]):
        raise click.UsageError("--migrate selects what is looked for: not with --select or --extend-select")
    if migrate:
        options["select"] = ("FL805",)
    from ..config import ConfigError
    from ..session import Options, Session, watch
    from ..visible import visible

    try:
        asked = Options(**options)  # type: ignore[arg-type]
        if asked.watch:
            watch(paths or (".",), asked)
        sys.exit(Session(paths or (".",), asked).run())
    except KeyboardInterrupt:
        if not options["watch"]:
            raise
        click.echo(err=True)
    except ConfigError as error:
        raise click.UsageError(visible(str(error))) from error
