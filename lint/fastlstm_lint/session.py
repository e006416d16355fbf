"""One run of `fastlstm lint`: what the options ask for, in order."""

from __future__ import annotations

import difflib
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cached_property, partial
from pathlib import Path
from typing import TypeVar

import click

from . import baseline, disk, files, noqa
from .cache import Cache, home
from .config import ConfigError, Settings
from .finding import Finding
from .nearest import Nearest
from .records import record
from .report import FORMATS, statistics, summary
from .run import Result, available_cores, check_files, check_once, fix_text
from .source import split_lines
from .visible import visible, visible_lines
from .watching import State, changes, stat

CLEAN, FOUND = 0, 1
NAMED = 3
"""Files that are named where several are left out."""

T = TypeVar("T")
PATIENCE = 1.0
"""Seconds after which a run shows how far it is."""


@record
class Options:
    """The options of the command line, by their names."""

    output_format: str = "text"
    output_file: Path | None = None
    quiet: bool = False
    select: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    fix: bool = False
    unsafe_fixes: bool = False
    diff: bool = False
    add_noqa: bool = False
    baseline: Path | None = None
    write_baseline: bool = False
    statistics: bool = False
    exclude: tuple[str, ...] = ()
    force_exclude: bool = False
    no_respect_gitignore: bool = False
    config: Path | None = None
    stdin_filename: str | None = None
    jobs: int | None = None
    no_cache: bool = False
    cache_dir: Path | None = None
    exit_zero: bool = False
    strict: bool = False
    watch: bool = False


class Session:
    """Paths and options, checked; `run` does the work and returns the exit code."""

    def __init__(self, paths: tuple[str, ...], options: Options) -> None:
        self.paths, self.options = paths, options
        self.from_stdin = paths == ("-",)
        if "-" in paths and not self.from_stdin:
            raise ConfigError("standard input (-) cannot be read beside files")
        missing = [] if self.from_stdin else [path for path in paths if not Path(path).exists()]
        if missing:
            raise ConfigError(f"no such file or folder: {missing[0]}")
        self.nearest = Nearest(
            options.config,
            options.select,
            options.extend_select,
            options.ignore,
            options.exclude,
            not options.no_respect_gitignore,
            tuple(Path(path) for path in paths if Path(path).is_dir()),
        )
        if options.write_baseline and options.baseline is None and self.nearest.here.baseline is None:
            raise ConfigError("--write-baseline needs --baseline FILE")
        if self.from_stdin and options.add_noqa:
            raise ConfigError("--add-noqa needs files")
        if sum((options.fix or options.diff, options.add_noqa, options.write_baseline)) > 1:
            raise ConfigError("fixing, --add-noqa and --write-baseline are separate runs")
        if options.watch and (self.from_stdin or options.diff or options.add_noqa or options.write_baseline):
            raise ConfigError("--watch goes on looking at files: not with -, --diff, --add-noqa or --write-baseline")
        self.name = options.stdin_filename or "<stdin>"
        self.stdin = sys.stdin.buffer.read() if self.from_stdin else b""

    def run(self) -> int:
        """Do what the options ask for."""
        options = self.options
        if options.diff:
            return self._show_diff()
        fixed = self._apply_fixes() if options.fix else 0
        result = self._check()
        if options.add_noqa:
            result.findings = [each for each in result.findings if not each.is_note]
            return self._add_noqa(result)
        if options.write_baseline:
            self._write_baselines(result)
            return CLEAN
        result.findings = self._not_in_baselines(result)
        self._print(result, fixed)
        counted = [each for each in result.findings if each.is_wrong or (options.strict and not each.is_note)]
        return FOUND if counted and not options.exit_zero else CLEAN

    def looked_at(self) -> list[Path]:
        """The files of a run, and where its settings are or would be."""
        return [*self._files(), *self.nearest.files]

    def _files(self) -> list[Path]:
        return list(files.discover(self.paths, self.nearest, self.options.force_exclude))

    def _check(self) -> Result:
        if self.from_stdin:
            return check_once(self.stdin, self.name, self._settings(self.name), self._cache)
        return check_files(self._files(), self.nearest, self._cache, self.options.jobs or available_cores(), progress)

    def _settings(self, path: str) -> Settings:
        return self.nearest.of(Path(path).parent)

    def _by_baseline(self, findings: list[Finding]) -> dict[tuple[Path | None, Path | None], list[Finding]]:
        """The findings by the baseline that may hold them, and the folder from which on no link to it is followed."""
        if self.options.baseline is not None:
            return {(self.options.baseline, None): findings}
        here = self.nearest.here
        groups: dict[tuple[Path | None, Path | None], list[Finding]] = {(here.baseline, here.root): []}
        for finding in findings:
            its = self._settings(finding.path)
            groups.setdefault((its.baseline, its.root), []).append(finding)
        return groups

    def _write_baselines(self, result: Result) -> None:
        found = [each for each in result.findings if not each.is_note]
        for (file, root), group in self._by_baseline(found).items():
            if file is None:
                continue
            baseline.save(file, group, result.sources, root)
            click.echo(f"{len(group)} findings written to {visible(str(file))}", err=True)

    def _not_in_baselines(self, result: Result) -> list[Finding]:
        """The findings in the order of their files, those left out that a baseline knows."""
        new: set[int] = set()
        for (file, _), group in self._by_baseline(result.findings).items():
            if file is not None and (self.options.baseline is not None or file.exists()):
                group = baseline.new(group, result.sources, file)
            new |= {id(each) for each in group}
        return [each for each in result.findings if id(each) in new]

    @cached_property
    def _cache(self) -> Cache:
        if self.options.no_cache:
            return Cache(None)
        if self.options.cache_dir is not None:
            return Cache(self.options.cache_dir)
        return home(self.nearest.here, self.nearest.config is not None)

    def _print(self, result: Result, fixed: int) -> None:
        options = self.options
        to_stderr = self.from_stdin and options.fix
        if options.statistics:
            text = statistics(result.findings)
        else:
            text = FORMATS[options.output_format](result.findings, result.sources)
        if options.output_file is not None:
            try:
                options.output_file.write_text(click.unstyle(text) + "\n" * bool(text), encoding="utf-8")
            except OSError as error:
                raise ConfigError(f"{options.output_file}: {error.strerror}") from error
        elif text:
            click.echo(text, err=to_stderr)
        if options.quiet:
            return
        if options.output_format in ("text", "concise"):
            beside = bool(result.findings) and options.output_format == "text" and options.output_file is None
            click.echo(self._sum(result), err=to_stderr or not beside)
        if result.left_out:
            names = ", ".join(visible(each) for each in result.left_out[:NAMED])
            more = ", ..." if len(result.left_out) > NAMED else ""
            click.echo(f"{len(result.left_out)} left out, no regular files: {names}{more}", err=True)
        for trouble in self.nearest.passed_over:
            click.echo(f"settings not read: {visible(trouble)}", err=True)
        if fixed:
            click.echo(f"{fixed} fixed", err=True)

    def _sum(self, result: Result) -> str:
        """How many findings there are, in how many files, and how many of them the linter can fix."""
        if not self.from_stdin and not result.files:
            return "no Python files or notebooks found"
        looked = "" if self.from_stdin else f" in {result.files} file{'s' if result.files != 1 else ''}"
        return summary(result.findings, looked, self.options.unsafe_fixes)

    def _changes(self, findings: list[Finding]) -> Iterator[tuple[str, str, str, int]]:
        """Path, text before, text after and the number of fixes, of each file that its findings' fixes change."""
        unsafe = self.options.unsafe_fixes
        for path in _worth_fixing(findings, unsafe):
            data = self.stdin if self.from_stdin else disk.read(path)
            try:
                coding = "utf-8-sig" if path.endswith(".ipynb") else files.encoding(data)
                before = data.decode(coding)
            except Exception:  # a codec may raise anything
                continue
            after, fixed = fix_text(before, path, unsafe, partial(self._found, path, coding))
            if after != before and (self.from_stdin or self._may_write(path)):
                yield path, before, after, len(fixed)

    def _found(self, path: str, coding: str, text: str) -> list[Finding]:
        """The findings in a text that the file at a path might hold."""
        return check_once(text.encode(coding), path, self._settings(path), self._cache).findings

    def _apply_fixes(self) -> int:
        total = 0
        for path, _, after, count in self._changes(self._check().findings):
            total += count
            if self.from_stdin:
                self.stdin = after.encode()
            else:
                files.write(Path(path), after)
        if self.from_stdin:
            click.echo(self.stdin, nl=False)
        return total

    def _show_diff(self) -> int:
        changed, findings = False, self._check().findings
        for path, before, after, _ in self._changes(findings):
            changed = True
            for line in difflib.unified_diff(split_lines(before), split_lines(after), path, path):
                whole = line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
                # A patch is applied as it is, unless somebody reads it.
                click.echo(visible_lines(whole) if sys.stdout.isatty() else whole, nl=False)
        left = len(_worth_fixing(findings, True)) - len(_worth_fixing(findings, False))
        if left and not self.options.unsafe_fixes and not self.options.quiet:
            click.echo(f"{left} file{'s' if left != 1 else ''} with unsafe fixes not shown (--unsafe-fixes)", err=True)
        return FOUND if changed and not self.options.exit_zero else CLEAN

    def _may_write(self, path: str) -> bool:
        """Whether a file is the project's own; a link out of it is named and left alone."""
        if not disk.leads_out(Path(path), self.nearest.places):
            return True
        click.echo(f"{visible(path)} is not changed: it is a link to a file elsewhere", err=True)
        return False

    def _add_noqa(self, result: Result) -> int:
        total = 0
        paths = dict.fromkeys(finding.path for finding in result.findings if finding.cell is None)
        for path in paths:
            text, done = noqa.add(result.sources.get(path, ""), [f for f in result.findings if f.path == path])
            if done and self._may_write(path):
                files.write(Path(path), text)
                total += done
        left = len(result.findings) - total
        click.echo(f"noqa added for {total} findings" + (f", {left} left" if left else ""), err=True)
        return CLEAN


def _worth_fixing(findings: list[Finding], unsafe: bool) -> list[str]:
    """The files in which something can be fixed, with fixes that change results or without."""
    return sorted({each.path for each in findings if each.fix is not None and (each.fix.safe or unsafe)})


def progress(done: Iterator[T], total: int) -> Iterator[T]:
    """The same items, with a bar on a terminal once they take longer than `PATIENCE`."""
    start = time.monotonic()
    count = 0
    for item in done:
        count += 1
        yield item
        if time.monotonic() - start > PATIENCE:
            break
    else:
        return
    with click.progressbar(length=total, label="linting", file=sys.stderr, hidden=not _terminal()) as bar:
        bar.update(count)
        for item in done:
            yield item
            bar.update(1)


def _terminal() -> bool:
    return sys.stderr.isatty()


def watch(paths: tuple[str, ...], options: Options, pause: Callable[[float], None] = time.sleep) -> None:
    """Run, and run again whenever a file or its settings change. Ends with KeyboardInterrupt only."""
    session = Session(paths, options)
    session.run()
    seen = session.looked_at()

    def state() -> State:
        nonlocal seen
        with suppress(ConfigError):  # said when it is run again
            seen = Session(paths, options).looked_at()
        return stat(seen)

    click.echo("looking on; Ctrl-C ends it", err=True)
    for changed in changes(state, pause):
        click.echo(f"\n{time.strftime('%H:%M:%S')} {visible(changed[0])}{' ...' * (len(changed) > 1)}", err=True)
        try:
            Session(paths, options).run()
        except ConfigError as error:
            click.echo(visible(str(error)), err=True)
