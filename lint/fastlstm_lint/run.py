"""Checking files: reading, skipping what holds no recurrent code, the cache, several processes, and fixing."""

from __future__ import annotations

import errno
import gc
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from . import disk
from .cache import Cache
from .config import Settings
from .engine import check_source, inspect, own, relevant
from .files import decode
from .finding import Finding
from .fixes import apply_fixes
from .parsing import Source
from .records import changing, field
from .sources import Imports, SourceTree

if TYPE_CHECKING:
    from .nearest import Nearest

Sources = dict[str, str]
"""The text of each file with findings; of a notebook, of each cell: by `Finding.source_key`."""

WORTH_A_PROCESS = 16
"""Files left to check from which on more processes are started: starting one costs about as much as ten files."""

OBJECTS = 100_000
"""Objects made between two looks for garbage cycles; the tree of 5,000 lines."""

LARGEST = 32_000_000
"""Bytes of the largest file that is read; the pictures in a notebook count."""

HELD = 64_000_000
"""Bytes of all files together that are kept between reading and checking; what is beyond them is read again."""

PASSES = 10
"""Rounds of fixes for one file: a fix may make room for another, and none was seen to need more than three."""


@changing
class Result:
    """What one file, or many, gave."""

    findings: list[Finding] = field(default_factory=list)
    sources: Sources = field(default_factory=dict)
    needs: dict[str, str] = field(default_factory=dict)  # other files it depends on: `Imports.needs`
    left_out: list[str] = field(default_factory=list)  # what has a program's name and is no file
    files: int = 0  # how many were looked at


Watch = Callable[[Iterator[tuple[str, Result]], int], Iterable[tuple[str, Result]]]


def unreadable(path: str, error: OSError) -> Result:
    """What is said of a file that cannot be read. A link to nowhere, a pipe or a device is no file of the program."""
    if error.errno in (errno.ENOENT, errno.ELOOP, errno.EINVAL, errno.EISDIR, errno.ENXIO):
        return Result(left_out=[path])
    return Result([own("FL901", path, f"cannot be read: {error.strerror}")])


def check_text(
    text: str, path: str, settings: Settings, imports: Imports | None = None, recurrent: bool | None = None
) -> Result:
    """The findings in the text of a program or, by the path's ending, a notebook.

    `imports` finds the files it imports; made from the path and the settings if not given. `recurrent` says that the
    text is known to be worth looking at, and whether that is because of a recurrent layer of its own.
    """
    imports = imports or Imports(SourceTree(settings.places), path)
    if path.endswith(".ipynb"):
        return _check_notebook(text, path, settings, imports)
    if recurrent is None:
        findings = check_source(text, path, settings, imports)
    else:
        findings = inspect(Source(text), path, settings, imports, recurrent)
    return Result(findings, {path: text} if findings else {})


def _check_notebook(text: str, path: str, settings: Settings, imports: Imports) -> Result:
    from . import notebooks

    enabled = settings.enabled_for(path)
    try:
        book = notebooks.read(text)
    except notebooks.NotebookError as error:
        found = [own("FL901", path, str(error))]
        return Result([each for each in found if each.code in enabled], {})
    findings = book.in_cells(check_source(book.text, path, settings, imports))
    if "FL901" in enabled and relevant(book.text.encode("utf-8", "replace")):
        for number, message, row in book.broken:
            broken = own("FL901", path, f"cell cannot be parsed and is left out: {message}", row)
            findings.append(broken.in_cell(number))
    findings.sort(key=lambda finding: finding.sort_key)
    cells = {cell.number: cell.text for cell in book.cells}
    keys = {finding.source_key: cells[finding.cell] for finding in findings if finding.cell is not None}
    return Result(findings, keys)


def check_bytes(
    data: bytes, path: str, settings: Settings, imports: Imports | None = None, recurrent: bool | None = None
) -> Result:
    """The findings in a file's content, as `check_text`. What cannot be decoded is a finding of its own."""
    imports = imports or Imports(SourceTree(settings.places), path)
    if recurrent is None:
        recurrent = relevant(data)
        if not recurrent and not imports.reach_recurrent(data):
            return Result()
    try:
        text = decode(data) if not path.endswith(".ipynb") else data.decode("utf-8-sig")
    except Exception as error:  # a codec may raise anything
        if not recurrent:
            return Result()
        findings = [own("FL901", path, f"cannot be decoded: {error}")]
        return Result([each for each in findings if each.code in settings.enabled_for(path)], {})
    return check_text(text, path, settings, imports, recurrent)


def check_once(data: bytes, path: str, settings: Settings, cache: Cache) -> Result:
    """The findings in a file's content; what this run has found in the same content is not looked for again."""
    imports = Imports(SourceTree(settings.places), path)
    key = cache.key(data, Path(path).suffix, settings.chosen_for(path), imports.bases())
    stored = cache.get(key, path, imports)
    if stored is not None:
        return Result(*stored)
    result = check_bytes(data, path, settings, imports)
    cache.put(key, path, result.findings, result.sources, imports.needs())
    return result


def check_files(
    paths: Iterable[Path],
    settings: Settings | Nearest,
    cache: Cache | None = None,
    jobs: int = 1,
    watch: Watch | None = None,
) -> Result:
    """The findings in many files, in the order of the paths, and the text of those that have some.

    With `Nearest` each file has the settings of its folder. `watch(done, total)` may wrap the iterator over checked
    files, to show progress.
    """
    cache = cache or Cache(None)
    chosen = [(file, settings.of(file.parent)) for file in paths]
    places = settings.places  # those of all files, which have been asked for by now
    tree = SourceTree(places)
    results: dict[str, Result] = {}
    todo: list[File] = []
    held = 0
    keys: dict[str, str] = {}
    for file, its in chosen:
        path = str(file)
        try:
            data = disk.read(file, LARGEST)
        except OSError as error:
            results[path] = unreadable(path, error)
            continue
        imports = Imports(tree, file)
        recurrent = relevant(data)
        if not recurrent and not imports.reach_recurrent(data):
            continue
        key = cache.key(data, file.suffix, its.chosen_for(path), imports.bases())
        stored = cache.get(key, path, imports)
        results[path] = Result() if stored is None else Result(*stored)
        if stored is None:
            held += len(data)
            todo.append(File(path, data if held <= HELD else None, recurrent, its))
            keys[path] = key
    checked = _check_each(todo, places, jobs, tree)
    for path, result in checked if watch is None else watch(checked, len(todo)):
        results[path] = result
        cache.put(keys[path], path, result.findings, result.sources, result.needs)
    if todo:
        cache.prune()
    whole = Result(files=len(chosen))
    for result in results.values():
        whole.findings += result.findings
        whole.left_out += result.left_out
        whole.sources |= result.sources
    return whole


class File(NamedTuple):
    """A file that has been read and found worth checking; `recurrent` as in `check_text`."""

    path: str
    data: bytes | None  # None: to be read again
    recurrent: bool
    settings: Settings


def _check_each(
    files: list[File], places: tuple[Path, ...], jobs: int, tree: SourceTree
) -> Iterator[tuple[str, Result]]:
    if jobs < 2 or len(files) < WORTH_A_PROCESS:
        with rare_collections():
            for file in files:
                yield _check_file(file, tree)
        return
    from concurrent.futures import ProcessPoolExecutor, as_completed
    from concurrent.futures.process import BrokenProcessPool

    with ProcessPoolExecutor(min(jobs, len(files) // 4), initializer=_begin, initargs=(places,)) as pool:
        futures = {pool.submit(_check_file, file): file for file in files}
        lost = []
        for future in as_completed(futures):
            try:
                yield future.result()
            except BrokenProcessPool:  # a process ended, and with it what the others had not begun
                lost.append(futures[future])
    yield from _check_alone(lost, places)


def _check_alone(files: list[File], places: tuple[Path, ...]) -> Iterator[tuple[str, Result]]:
    """Each file in a process that has no other: the one that ends its process is named."""
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    todo = list(reversed(files))
    while todo:
        with ProcessPoolExecutor(1, initializer=_begin, initargs=(places,)) as pool:
            while todo:
                file = todo.pop()
                try:
                    yield pool.submit(_check_file, file).result()
                except BrokenProcessPool:
                    message = "ended the process that analysed it, please report"
                    yield file.path, Result([own("FL902", file.path, message)])
                    break


_tree = SourceTree(())
"""What a worker process has read of the program's other files: it lives for one run."""


def _begin(places: tuple[Path, ...]) -> None:
    global _tree
    _tree = SourceTree(places)
    gc.set_threshold(OBJECTS, *gc.get_threshold()[1:])


@contextmanager
def rare_collections() -> Iterator[None]:
    """Look for garbage cycles a hundred times less often than usual.

    A syntax tree makes some twenty objects per line, all of which live until its file is done: looking through them
    every 700 objects takes a tenth of the time.
    """
    usual = gc.get_threshold()
    gc.set_threshold(OBJECTS, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def _check_file(file: File, tree: SourceTree | None = None) -> tuple[str, Result]:
    """One file, in whatever process; nothing that its content does is raised."""
    path = file.path
    imports = Imports(tree or _tree, path)
    try:
        data = disk.read(path, LARGEST) if file.data is None else file.data
        result = check_bytes(data, path, file.settings, imports, file.recurrent)
        result.needs = imports.needs()
        return path, result
    except OSError as error:
        return path, unreadable(path, error)
    except Exception as error:
        return path, Result([own("FL902", path, f"internal error, please report: {type(error).__name__}: {error}")])


def fix_text(text: str, path: str, unsafe: bool, check: Callable[[str], list[Finding]]) -> tuple[str, list[Finding]]:
    """The text with all its fixes applied, round after round, and the findings that were fixed.

    `check` gives the findings in a text. A round after which the text cannot be parsed any more is taken back.
    """
    fixed: list[Finding] = []
    findings = check(text)
    for _ in range(PASSES):
        after, done = _fix_once(text, path, findings, unsafe)
        if not done or after == text:
            break
        left = check(after)
        if _failures(left) > _failures(findings):
            break
        text, findings = after, left
        fixed += done
    return text, fixed


def _failures(findings: list[Finding]) -> int:
    return sum(finding.code in ("FL901", "FL902") for finding in findings)


def _fix_once(text: str, path: str, findings: list[Finding], unsafe: bool) -> tuple[str, list[Finding]]:
    if not path.endswith(".ipynb"):
        return apply_fixes(text, findings, unsafe)
    from . import notebooks

    if not any(finding.fix is not None for finding in findings):
        return text, []
    book = notebooks.read(text)
    cells: dict[int, str] = {}
    done: list[Finding] = []
    for cell in book.cells:
        here = [finding for finding in findings if finding.cell == cell.number]
        after, fixed = apply_fixes(cell.text, here, unsafe)
        if fixed:
            cells[cell.number] = after
            done += fixed
    return (book.with_cells(cells) if cells else text), done


def available_cores() -> int:
    """The cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
