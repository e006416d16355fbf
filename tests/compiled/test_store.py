"""The store of compiled code: what is kept is found again, and whatever is wrong with a file, the code is had."""

from __future__ import annotations

import io
import json
import os
import re
import resource
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import children
import pytest
from objects import UNIT, Compiler, answer, emitted

from fastlstm.compiled import file, made, places
from fastlstm.compiled.file import Code
from fastlstm.compiled.made import Unit
from fastlstm.compiled.places import Place
from fastlstm.compiled.store import Store


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place that there is."""
    kept = tmp_path / "kept"
    monkeypatch.setattr("fastlstm.compiled.store.places", lambda: [Place(kept)])
    return kept


def kept_by(value: int = 42) -> None:
    compiler = Compiler(value)
    assert (answer(Store(compiler)), compiler.asked) == (value, 1)


def test_what_one_process_compiled_another_loads(folder: Path) -> None:
    kept_by()
    again = Compiler(1)
    store = Store(again)
    assert (answer(store), answer(store), again.asked) == (42, 42, 0)
    [path] = folder.iterdir()
    assert re.fullmatch(r"answers-[A-Za-z0-9_-]+-float32-[0-9a-f]{16}\.code", path.name)
    assert path.stat().st_mode & 0o077 == 0
    assert folder.stat().st_mode & 0o077 == 0


def test_another_cell_dtype_or_machine_has_a_file_of_its_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept_by()
    compiler = Compiler()
    for unit in (Unit("answers", "float64", UNIT.cell), Unit("answers", "float32", "other"), Unit("answers")):
        answer(Store(compiler), unit)
    another = made.machine_words()._replace(name="another CPU")
    monkeypatch.setattr(made, "machine_words", lambda: another)
    answer(Store(compiler))
    assert (compiler.asked, len(list(folder.iterdir()))) == (4, 5)


def flipped(at: float) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[min(int(at * len(content)), len(content) - 1)] ^= 4
        path.write_bytes(content)

    return damage


def cut(to: float) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(path.read_bytes()[: int(to * path.stat().st_size)])


def made_of(**changes: object) -> Callable[[Path], None]:
    """The file says, under a right digest, that something else went into it."""

    def damage(path: Path) -> None:
        rest = path.read_bytes().partition(b"\n")[2]
        head, _, code = rest.partition(b"\n")
        header = json.loads(head)
        header["made"] |= changes
        rest = json.dumps(header).encode() + b"\n" + code
        path.write_bytes(file._MAGIC + file.hashlib.sha256(rest).hexdigest().encode() + b"\n" + rest)

    return damage


def other_owner(path: Path) -> None:
    if os.geteuid():
        pytest.skip("only root can give a file away")
    os.chown(path, 12345, 12345)


def link(path: Path) -> None:
    path.rename(path.with_suffix(".elsewhere"))
    path.symlink_to(path.with_suffix(".elsewhere"))


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def directory(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "something").touch()


DAMAGES: dict[str, tuple[Callable[[Path], object], str, bool]] = {
    "empty": (cut(0), "no compiled code", True),
    "cut at half": (cut(0.5), "damaged", True),
    "cut by a byte": (lambda path: path.write_bytes(path.read_bytes()[:-1]), "damaged", True),
    "a bit of the digest": (flipped(0.03), "damaged", True),
    "a bit of the header": (flipped(0.3), "damaged", True),
    "a bit of the code": (flipped(0.8), "damaged", True),
    "the last bit": (flipped(1), "damaged", True),
    "something else": (lambda path: path.write_text("#!/bin/sh\n"), "no compiled code", True),
    "another version": (made_of(numba="0.1"), "another numba", True),
    "other sources": (made_of(sources="0"), "another sources", True),
    "another processor": (made_of(cpu="abacus", features="+beads"), "another cpu, features", True),
    "another format": (made_of(format=0), "another format", True),
    "another owner": (other_owner, "it belongs to another user", True),
    "written by all": (lambda path: path.chmod(0o666), "every user can write it", True),
    "a folder written by all": (lambda path: path.parent.chmod(0o777), "of its folder: every user", False),
    "a link": (link, "a symbolic link", True),
    "a named pipe": (pipe, "no regular file", True),
    "a directory": (directory, "no regular file", False),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_whatever_is_wrong_with_a_file_the_code_is_had_and_it_is_said(folder: Path, name: str) -> None:
    damage, reason, mended = DAMAGES[name]
    kept_by(1)
    [path] = folder.iterdir()
    damage(path)
    compiler = Compiler(2)
    store = Store(compiler)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert (answer(store), answer(store), compiler.asked) == (2, 2, 1)
    said = [str(warning.message) for warning in caught]
    assert f"compiled code is not loaded, {reason}" in said[0]
    assert str(path) in said[0]
    assert len(said) == (1 if mended else 2)
    if mended:
        assert answer(Store(Compiler(3))) == 2
        assert path.is_file()
        assert not path.is_symlink()
    else:
        assert "cannot be kept" in said[1]


def test_of_many_damaged_files_one_is_named(folder: Path) -> None:
    units = [Unit(f"answers{number}") for number in range(3)]
    for unit in units:
        answer(Store(Compiler()), unit)
    for path in folder.iterdir():
        flipped(0.8)(path)
    store = Store(Compiler())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert [answer(store, unit) for unit in units] == [42] * 3
    assert len(caught) == 1


def test_a_header_that_is_no_header_under_a_right_digest(folder: Path) -> None:
    kept_by(1)
    [path] = folder.iterdir()
    for rest in (b"", b"\n", b"[]\n", b"{}\n", b'{"made": 1, "functions": [], "needs": []}\n', b"[" * 100_000):
        path.write_bytes(file._MAGIC + file.hashlib.sha256(rest).hexdigest().encode() + b"\n" + rest)
        with pytest.warns(RuntimeWarning, match="not loaded"):
            assert answer(Store(Compiler(2))) == 2


def test_where_nothing_can_be_kept_it_is_said_once(folder: Path) -> None:
    folder.touch()  # a file where the folder should be: for root too
    compiler = Compiler()
    store = Store(compiler)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        answer(store)
        answer(store, Unit("more"))
    assert ["cannot be kept" in str(warning.message) for warning in caught] == [True]
    assert "FASTLSTM_CACHE" in str(caught[0].message)
    assert compiler.asked == 2


def test_on_a_full_disk_nothing_half_written_is_left(folder: Path) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, most))
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert answer(Store(Compiler())) == 42
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    assert "File too large" in str(caught[0].message)
    assert list(folder.iterdir()) == []


def test_a_place_that_can_only_be_read_serves_and_another_one_keeps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    monkeypatch.setattr("fastlstm.compiled.store.places", lambda: [Place(first), Place(second)])
    kept_by()
    real = file.write
    monkeypatch.setattr(file, "write", lambda path, *rest: real(path, *rest) if path.parent == second else refuse())

    def refuse() -> None:
        raise PermissionError(13, "Read-only file system")

    assert answer(Store(Compiler(1))) == 42
    answer(Store(Compiler(1)), Unit("more"))
    assert [len(list(place.iterdir())) for place in (first, second)] == [1, 1]


def test_a_symbol_that_the_process_lacks_is_told_before_llvm_would_end_it(folder: Path) -> None:
    compiler = Compiler(calls="fastlstm_has_no_such_function")
    with pytest.raises(RuntimeError, match="cannot be loaded: this process has no fastlstm_has_no_such_function"):
        answer(Store(compiler))
    assert not folder.exists()


def test_what_came_with_the_package_is_asked_first_and_needs_no_compiler_of_the_same_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped, user = tmp_path / "v3", tmp_path / "user"
    monkeypatch.setattr("fastlstm.compiled.store.places", lambda: [Place(shipped, shipped=True), Place(user)])
    wanted = made.made(UNIT)
    other = {"numba": "0.1", "llvmlite": "0.1", "llvm": "1", "cpu": "x86-64-v3"}
    features = wanted.features.split(",")
    for extra, asked in (([], 0), (["+nosuchfeature"], 1)):
        built = made.Made(**{**wanted._asdict(), **other, "features": ",".join(features[:5] + extra)})
        shipped.mkdir(exist_ok=True)
        file.write(shipped / built.file_name(shipped=True), emitted(7), built)
        compiler = Compiler(8)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert answer(Store(compiler)) == (8 if asked else 7)
        assert compiler.asked == asked
        assert [("nosuchfeature" in str(warning.message)) for warning in caught] == [True] * asked


def test_filling_a_folder_copies_what_is_there_and_others_may_read_it(folder: Path, tmp_path: Path) -> None:
    kept_by()
    into, compiler = tmp_path / "image", Compiler(1)
    store = Store(compiler)
    answer(store)
    with store.filling(into):
        assert answer(store) == 42
        answer(store, Unit("more"))
    assert compiler.asked == 1
    assert sorted(path.stat().st_mode & 0o777 for path in into.iterdir()) == [0o644, 0o644]
    assert {path.name for path in folder.iterdir()} < {path.name for path in into.iterdir()}
    for_all = tmp_path / "for all"
    for_all.mkdir()
    for_all.chmod(0o777)
    (tmp_path / "file").touch()
    for place, reason in ((tmp_path / "file", "File exists"), (for_all, "every user can write it")):
        with pytest.raises(OSError, match=reason), store.filling(place):
            answer(store)


BOTH = """
import sys
sys.path.insert(0, sys.argv[1])
import test_store
from fastlstm.compiled.places import Place
from fastlstm.compiled.store import Store
from fastlstm.compiled.made import Unit
from pathlib import Path
import fastlstm.compiled.store as store
store.places = lambda: [Place(Path(sys.argv[2]))]
for number in range(200):
    assert test_store.answer(Store(test_store.Compiler(number)), Unit(f"u{number}")) == number
    assert test_store.answer(Store(test_store.Compiler(-1)), Unit(f"u{number}")) == number
"""


def test_two_processes_fill_one_place_at_once(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", BOTH, str(Path(__file__).parent), str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(Path(children.__file__).parent)}
    for done in children.finished([command, command], env=environment):
        assert done.returncode == 0, done.stderr
    assert len([path for path in tmp_path.iterdir() if path.suffix == ".code"]) == 200
    assert len(list(tmp_path.iterdir())) == 200


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("stream", [Terminal, io.StringIO])
def test_a_terminal_is_told_why_nothing_happens(
    folder: Path, monkeypatch: pytest.MonkeyPatch, stream: type[io.StringIO]
) -> None:
    monkeypatch.setattr("fastlstm.compiled.store.PATIENCE", 0.01)
    heard = stream()
    monkeypatch.setattr(sys, "stderr", heard)
    begun, code = threading.Event(), emitted()

    def compile(units: Sequence[Unit]) -> list[Code]:
        for _ in range(6000 if heard.isatty() else 10):  # a minute, on however slow a machine
            begun.wait(0.01)
            if heard.getvalue():
                break
        return [code]

    assert answer(Store(compile), Unit("advance", "float32", "LSTM")) == 42
    told = "fastlstm: compiling advance LSTM float32 for this machine, once; `fastlstm warmup` does it ahead\n"
    assert heard.getvalue() == (told if stream is Terminal else "")


def test_what_is_compiled_in_time_is_not_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastlstm.compiled.store.PATIENCE", 3600.0)
    heard, code = Terminal(), emitted()
    monkeypatch.setattr(sys, "stderr", heard)

    def compile(units: Sequence[Unit]) -> list[Code]:
        threading.Event().wait(0.2)
        return [code]

    assert answer(Store(compile), Unit("advance")) == 42
    assert heard.getvalue() == ""


FORKED = """
import os, sys, threading
sys.path.insert(0, sys.argv[1])
import test_store
from fastlstm.compiled.store import Store, watch_forks
from fastlstm.compiled.made import Unit
import fastlstm.compiled.store as module
module.places = lambda: []
begun, code = threading.Event(), test_store.emitted()
def compile(units):
    begun.set()
    threading.Event().wait(0.3)
    return [code]
store = Store(compile)
watch_forks(store)
import warnings
warnings.simplefilter("ignore")
thread = threading.Thread(target=test_store.answer, args=(store, Unit("a")))
thread.start()
begun.wait()
child = os.fork()
if child == 0:
    os._exit(test_store.answer(store, Unit("a")) + test_store.answer(store, Unit("b")) - 84)
assert os.waitpid(child, 0)[1] == 0
thread.join()
"""


def test_a_fork_waits_for_what_is_being_compiled() -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(children.__file__).parent)}
    done = children.python("-c", FORKED, str(Path(__file__).parent), env=environment)
    assert done.returncode == 0, done.stderr


def test_the_places_in_their_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FASTLSTM_CACHE", os.pathsep.join(("/a", "/b", "")))
    if sys.platform == "linux":
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        found = [place.folder for place in places.places() if not place.shipped]
        assert found == [Path("/a"), Path("/b"), tmp_path / "fastlstm" / "code"]
    assert [place.shipped for place in places.places()] == sorted((p.shipped for p in places.places()), reverse=True)
