"""The digest of what code is compiled from, in a package with sources and without."""

from __future__ import annotations

import ast
import os
import zipfile
from pathlib import Path

import pytest

import fastlstm
from fastlstm.compiled import made
from fastlstm.kernels import machine

PROGRAM = "import fastlstm; from fastlstm.compiled.made import sources; print(fastlstm.__file__, sources())"


def test_without_sources_the_version_stands_for_them(python, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """In a zip, as in a frozen program, there are no files to read: two versions have two digests all the same."""
    folder, found = Path(fastlstm.__file__).parent, set()
    for version in ("1.0.0", "1.0.1"):
        archive = tmp_path / f"{version}.zip"
        with zipfile.ZipFile(archive, "w") as file:
            for path in folder.rglob("*.py"):
                text = path.read_text(encoding="utf-8")
                if path == folder / "__init__.py":
                    line = "from fastlstm_lint import __version__ as __version__"
                    assert line in text
                    text = text.replace(line, f'__version__ = "{version}"')
                file.writestr(str(path.relative_to(folder.parent)), text)
        done = python("-P", "-c", PROGRAM, env=os.environ | {"PYTHONPATH": str(archive)})
        assert done.stdout.startswith(str(archive)), done.stderr
        found.add(done.stdout.split()[1])
    assert len(found - {made.sources()}) == 2


def test_without_sources_shipped_code_says_what_they_were(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    here = made.content()
    monkeypatch.setattr(made, "_PACKAGE", str(tmp_path))
    assert made.content.__wrapped__() == fastlstm.__version__
    (tmp_path / "prebuilt" / "v3").mkdir(parents=True)
    (tmp_path / "prebuilt" / "v3" / made.SHIPPED).write_text(here)
    assert made.content.__wrapped__() == here
    (tmp_path / "kernels").mkdir()
    (tmp_path / "kernels" / "one.py").write_text("of another version")
    assert made.content.__wrapped__() not in (here, fastlstm.__version__)


def imported(module: str) -> set[str]:
    """The modules of this package that a module's file imports, those of its functions too, and itself; all the way."""
    root, found, todo = Path(fastlstm.__file__).parent.parent, set(), [module]
    while todo:
        name = todo.pop()
        path = root / (name.replace(".", "/") + ".py")
        if name in found or not path.is_file():
            continue
        found.add(name)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                todo += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return found


def test_every_module_that_code_is_compiled_from_is_in_the_digest() -> None:
    root = Path(fastlstm.__file__).parent.parent
    covered = [root / "fastlstm" / name for name in made._SOURCES]
    needed = imported("fastlstm.engine.compiling")
    assert {"fastlstm.kernels.forward", "fastlstm.engine.threads.crew", "fastlstm.kernels.build"} < needed
    # what says of code what it was made of, and which is versioned by its format
    left_out = {"fastlstm.compiled.file", "fastlstm.compiled.made", "fastlstm.compiled.trust"}
    for name in needed - left_out:
        path = root / (name.replace(".", "/") + ".py")
        assert any(path == place or place in path.parents for place in covered), name


def test_code_made_without_an_instruction_serves_a_machine_that_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wheel's code for all of aarch64 has no sdot, and nearly every such machine does."""

    def digest(vectors: machine.Machine) -> str:
        monkeypatch.setattr(made, "host", lambda: vectors)
        return made.sources.__wrapped__()

    assert digest(machine.NEON) == digest(machine.NEON_DOT)
    assert digest(machine.AVX512) == digest(machine.AVX512_VNNI)
    assert len({digest(each) for each in (machine.NEON, machine.AVX512, machine.AVX2, machine.SSE)}) == 4
