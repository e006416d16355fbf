"""The house has floors: a room imports only from rooms below it, and heavy libraries stay out until they are needed."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import fastlstm_lint
import pytest

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Tower:
    """A package and its rooms (modules or folders at its top level), floor by floor from the ground.

    `door` is the floor from which on the package itself (`import fastlstm`) may be imported, since it opens onto
    everything below. `bridge` names what every room may see of the other tower, `outside` what some rooms may beside.
    """

    package: str
    folder: Path
    floors: tuple[frozenset[str], ...]
    door: int
    bridge: frozenset[str] = frozenset()
    outside: dict[str, frozenset[str]] = field(default_factory=dict)

    def floor(self, room: str) -> int | None:
        return next((n for n, rooms in enumerate(self.floors) if room in rooms), None)


def rooms(names: str) -> frozenset[str]:
    return frozenset(names.split())


FASTLSTM = Tower(
    "fastlstm",
    ROOT / "fastlstm",
    (
        rooms("errors"),
        rooms("spec"),
        rooms("cells"),
        rooms("kernels reference cuda"),
        rooms("compiled"),
        rooms("engine"),
        rooms("layers"),
        rooms("quantized"),
        rooms("torch interop"),
        rooms("info testing"),
        rooms("prove tracebacks"),
        rooms("bench pytest_plugin"),
        rooms("demo run"),
        rooms("cli _pyinstaller"),
        rooms("__main__"),
    ),
    door=9,
    bridge=frozenset({"fastlstm_lint.contract", "fastlstm_lint.__version__"}),
    outside=dict.fromkeys(("cli", "demo", "prove", "tracebacks"), frozenset({"fastlstm_lint"})),
)

LINT = Tower(
    "fastlstm_lint",
    # Beside this file in a checkout, elsewhere where the tests are an sdist's.
    Path(fastlstm_lint.__file__).parent,
    (
        rooms("contract dims finding program records"),
        rooms("color deep disk visible source naming"),
        rooms("cst"),
        rooms("nodes building"),
        rooms("tensors"),
        rooms("unknowns"),
        rooms("values"),
        rooms("layers"),
        rooms("facts"),
        rooms("signatures"),
        rooms("interpreter"),
        rooms("rules"),
        rooms("noqa parsing positions importing config causes"),
        rooms("nearest notebooks fixes pages baseline watching"),
        rooms("files"),
        rooms("outline"),
        rooms("sources"),
        rooms("cache"),
        rooms("report explain shapes"),
        rooms("engine"),
        rooms("run"),
        rooms("session lsp flake8 handout"),
        rooms("playground"),
        rooms("cli"),
        rooms("__main__"),
    ),
    door=10,
)

HEAVY = {
    "torch": rooms("torch interop bench demo run info testing prove cuda"),
    "numba": rooms("kernels engine cuda bench info"),
    "llvmlite": rooms("kernels compiled engine cuda bench info"),
    "sklearn": rooms("demo"),
    "matplotlib": rooms("bench prove"),
    "onnx": rooms("interop"),
}
"""Which rooms of `fastlstm` may name a heavy library at all."""


def imports(source: str, module: str, is_package: bool) -> Iterator[tuple[int, str]]:
    """(line, absolute dotted name) of everything a module imports, wherever in the file the statement stands."""
    here = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else []
            prefix = ".".join(base + (node.module.split(".") if node.module else []))
            yield from ((node.lineno, f"{prefix}.{alias.name}") for alias in node.names)


def complaints(tower: Tower) -> list[str]:
    """Every import in a tower that goes up, sideways, out of a window, or reaches for a library it should not see."""
    found = []
    for path in sorted(tower.folder.rglob("*.py")):
        parts = path.relative_to(tower.folder).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        parts = parts[:-1] if is_package else parts
        room = parts[0] if parts else ""
        if room and tower.floor(room) is None:
            found.append(f"{path.name}: the room {room!r} is on no floor; give it one in this file")
            continue
        module = ".".join((tower.package, *parts))
        for line, name in imports(path.read_text(encoding="utf-8"), module, is_package):
            reason = objection(tower, room, name)
            if reason:
                found.append(f"{module}:{line}: imports {name}: {reason}")
    return found


def objection(tower: Tower, room: str, name: str) -> str | None:
    """Why `room` may not import `name`, or None. The door (room "") may name every room, but nothing heavy."""
    top, _, rest = name.partition(".")
    if top == tower.package:
        other = rest.partition(".")[0]
        floor = tower.floor(room) if room else len(tower.floors)
        assert floor is not None
        target = tower.floor(other)
        if target is None:  # a name of the door itself, such as __version__
            is_own_metadata = other == "__version__"
            return None if is_own_metadata or floor >= tower.door else "the door opens onto rooms above this one"
        return None if other == room or target < floor else "not on a floor below"
    if top in {"fastlstm", "fastlstm_lint"}:
        allowed = tower.bridge | tower.outside.get(room, frozenset())
        seen = any(name == entry or name.startswith(entry + ".") for entry in allowed)
        return None if seen else "the towers meet only at the bridge"
    if top in HEAVY:
        allowed = HEAVY[top] if tower.package == "fastlstm" else frozenset()
        return None if room in allowed else f"{top} has no business here"
    if room and tower.floor(room) == 0 and top not in sys.stdlib_module_names:
        return "the ground floor stands on the standard library alone"
    return None


@pytest.mark.parametrize("tower", [FASTLSTM, LINT], ids=lambda tower: tower.package)
def test_every_import_goes_down(tower: Tower) -> None:
    assert list(tower.folder.rglob("*.py"))
    assert complaints(tower) == []


PLANTED = [
    ("errors.py", "import numpy", "standard library alone"),
    ("errors.py", "from . import layers", "not on a floor below"),
    ("engine/plan.py", "from fastlstm.layers import LSTM", "not on a floor below"),
    ("engine/deep/plan.py", "from ...layers.lstm import LSTM", "not on a floor below"),
    ("layers/__init__.py", "def f():\n    import torch", "torch has no business here"),
    ("kernels/a.py", "from ..reference import step", "not on a floor below"),
    ("layers/lstm.py", "from fastlstm_lint import rules", "the towers meet only at the bridge"),
    ("layers/lstm.py", "import fastlstm", "the door opens onto rooms above"),
    ("__init__.py", "import numba", "numba has no business here"),
    ("attic.py", "", "on no floor"),
]


@pytest.mark.parametrize(("file", "source", "expected"), PLANTED, ids=[f"{f}: {e}" for f, _, e in PLANTED])
def test_a_planted_import_is_found(tmp_path: Path, file: str, source: str, expected: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source)
    [complaint] = complaints(replace(FASTLSTM, folder=tmp_path))
    assert expected in complaint


def test_good_imports_raise_no_complaint(tmp_path: Path) -> None:
    (tmp_path / "layers").mkdir()
    (tmp_path / "layers" / "lstm.py").write_text(
        "import numpy\nfrom ..engine import plan\nfrom . import base\nfrom fastlstm_lint.contract import Layer\n"
    )
    (tmp_path / "cli.py").write_text(
        "import fastlstm\nfrom fastlstm import bench, __version__\nimport fastlstm_lint.cli"
    )
    assert complaints(replace(FASTLSTM, folder=tmp_path)) == []


def imported_at_run_time(source: str, module: str, is_package: bool) -> Iterator[str]:
    """The names that a module imports when it runs, inside functions too; not what only a type checker reads."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.body = [ast.Pass()]
    yield from (name for _, name in imports(ast.unparse(tree), module, is_package))


def circles(tower: Tower) -> list[list[str]]:
    """The groups of modules of a tower each of which reaches all others of its group by imports."""
    sources: dict[str, tuple[str, bool]] = {}
    for path in tower.folder.rglob("*.py"):
        parts = path.relative_to(tower.folder).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        name = ".".join((tower.package, *(parts[:-1] if is_package else parts)))
        sources[name] = path.read_text(encoding="utf-8"), is_package
    edges: dict[str, set[str]] = {}
    for module, (source, is_package) in sources.items():
        edges[module] = set()
        for name in imported_at_run_time(source, module, is_package):
            target = name if name in sources else name.rpartition(".")[0]
            # A package's own `from . import part` is how it opens; the part may not import the package.
            if target in sources and target != module and target != tower.package:
                edges[module].add(target)
    reached = {module: _reached(module, edges) for module in edges}
    groups = {frozenset(b for b in reached[a] if a in reached[b]) | {a} for a in edges if a in reached[a]}
    return sorted(sorted(group) for group in groups)


def _reached(start: str, edges: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    todo = list(edges[start])
    while todo:
        module = todo.pop()
        if module not in found:
            found.add(module)
            todo += edges[module]
    return found


@pytest.mark.parametrize("tower", [FASTLSTM, LINT], ids=lambda tower: tower.package)
def test_no_modules_import_each_other_in_a_circle(tower: Tower) -> None:
    assert circles(tower) == []


def test_a_planted_circle_is_found_inside_a_room_and_inside_functions(tmp_path: Path) -> None:
    room = tmp_path / "engine"
    room.mkdir()
    (room / "__init__.py").write_text("from . import a\n")
    (room / "a.py").write_text("def run():\n    from .b import run\n    return run()\n")
    (room / "b.py").write_text("from .c import stop\n")
    (room / "c.py").write_text("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from . import a\n")
    assert circles(replace(FASTLSTM, folder=tmp_path)) == []
    (room / "c.py").write_text("def stop():\n    from . import a\n")
    assert circles(replace(FASTLSTM, folder=tmp_path)) == [
        ["fastlstm.engine.a", "fastlstm.engine.b", "fastlstm.engine.c"]
    ]


PROMISES = {
    "import fastlstm": {"numba", "llvmlite", "torch", "scipy", "fastlstm_lint.engine", "fastlstm_lint.finding"},
    "import fastlstm_lint.engine": {"numba", "llvmlite", "numpy", "torch", "fastlstm"},
    "import fastlstm.spec": {"numba", "numpy", "torch", "click"},
    "import fastlstm_lint.contract": {"numba", "numpy", "torch", "click", "fastlstm", "fastlstm_lint.engine"},
    "import fastlstm_lint.cli.explain": {"numba", "numpy", "torch", "fastlstm", "fastlstm_lint.engine"},
    "import fastlstm.testing": {"numba", "llvmlite", "torch", "matplotlib"},
    "import fastlstm.cli": {"numba", "numpy", "torch", "matplotlib"},
    "import fastlstm.torch": {"numba", "llvmlite", "torch._dynamo", "fastlstm.torch.graphs"},
}
"""What a statement, run first in a process of its own, must not load."""


def loaded_by(python, statement: str) -> set[str]:  # type: ignore[no-untyped-def]
    done = python("-c", f"import json, sys\n{statement}\nprint(json.dumps(sorted(sys.modules)))")
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("statement", PROMISES)
def test_heavy_libraries_stay_out(python, statement: str) -> None:  # type: ignore[no-untyped-def]
    assert loaded_by(python, statement) & PROMISES[statement] == set()


def test_a_heavy_import_is_seen(python) -> None:  # type: ignore[no-untyped-def]
    assert {"numba", "llvmlite", "numpy"} <= loaded_by(python, "import fastlstm, numba")
