"""Programs of several files: what one imports from another is followed, in every way of importing it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from fastlstm_lint import Settings
from fastlstm_lint.cache import Cache
from fastlstm_lint.cli.lint import lint
from fastlstm_lint.cli.shapes import shapes
from fastlstm_lint.facts import Fact
from fastlstm_lint.flake8 import Plugin
from fastlstm_lint.interpreter.machine import Machine
from fastlstm_lint.lsp.buffer import Buffer
from fastlstm_lint.outline import outline
from fastlstm_lint.parsing import parse
from fastlstm_lint.run import check_files, check_text
from fastlstm_lint.shapes.document import Document
from fastlstm_lint.sources import Imports, SourceTree

HEADER = "import torch\nimport torch.nn as nn\n"
LAYERS = (
    HEADER
    + """
HIDDEN = 6


class Encoder(nn.Module):
    def __init__(self, size, batch_first=True):
        super().__init__()
        self.net = nn.GRU(size, HIDDEN, batch_first=batch_first)

    def forward(self, x):
        return self.net(x)


def swap(x):
    return x.transpose(0, 1)


def make(size):
    return nn.LSTM(size, HIDDEN, num_layers=2)
"""
)
MODEL = """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = {}(5)

    def forward(self, x):
        out, h_n = self.encoder(x)
        return out[-1]  # FL201
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "package/__init__.py", "")
    write(tmp_path, "package/layers.py", LAYERS)
    return tmp_path


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def places(path: str) -> list[tuple[str, int]]:
    findings = check_text(Path(path).read_text(), path, Settings(root=Path.cwd())).findings
    return [(finding.code, finding.start.row) for finding in findings]


def marked(text: str) -> list[tuple[str, int]]:
    """The codes that comments in a program name, with their rows."""
    return [(line.split("# ")[-1], row) for row, line in enumerate(text.split("\n"), 1) if "# FL" in line]


@pytest.mark.parametrize(
    ("statement", "called"),
    [
        ("from .layers import Encoder", "Encoder"),
        ("from .layers import Encoder as E", "E"),
        ("from package.layers import Encoder", "Encoder"),
        ("from . import layers", "layers.Encoder"),
        ("from . import layers as parts", "parts.Encoder"),
        ("from package import layers", "layers.Encoder"),
        ("import package.layers", "package.layers.Encoder"),
        ("import package.layers as parts", "parts.Encoder"),
        ("from .layers import *", "Encoder"),
        ("from ..package.layers import Encoder", "Encoder"),
        ("from layers import Encoder", "Encoder"),  # as a script beside it
        ("try:\n    from .layers import Encoder\nexcept ImportError:\n    from layers import Encoder", "Encoder"),
    ],
)
def test_a_class_is_followed_however_it_is_imported(folder: Path, statement: str, called: str) -> None:
    text = f"{HEADER}{statement}\n{MODEL.format(called)}"
    write(folder, "package/model.py", text)
    assert places("package/model.py") == marked(text)


@pytest.mark.parametrize(
    ("init", "statement", "called"),
    [
        ("from .layers import Encoder", "from package import Encoder", "Encoder"),
        ("from .layers import Encoder as Coder", "import package", "package.Coder"),
        ("from .layers import *", "from package import *", "Encoder"),
        ("from . import layers", "import package as p", "p.layers.Encoder"),
        ("from .layers import *\n__all__ = ['Encoder']", "from package import *", "Encoder"),
        ("from package.middle import Encoder", "from package import Encoder", "Encoder"),
    ],
)
def test_re_exports_are_followed(folder: Path, init: str, statement: str, called: str) -> None:
    write(folder, "package/__init__.py", init + "\n")
    write(folder, "package/middle.py", "from .layers import Encoder\n")
    text = f"{HEADER}{statement}\n{MODEL.format(called)}"
    write(folder, "model.py", text)
    assert places("model.py") == marked(text)


def test_what_all_leaves_out_is_not_imported_by_a_star(folder: Path) -> None:
    write(folder, "package/__init__.py", "from .layers import *\n__all__ = ['swap']\n")
    write(folder, "model.py", f"{HEADER}from package import *\n{MODEL.format('Encoder')}")
    assert places("model.py") == []


def test_what_all_leaves_out_is_not_handed_on(folder: Path) -> None:
    write(folder, "package/layers.py", f"{LAYERS}\n__all__ = ['swap']\n")
    write(folder, "package/middle.py", "from .layers import *\n")
    write(folder, "model.py", f"{HEADER}from package.middle import Encoder\n{MODEL.format('Encoder')}")
    assert places("model.py") == []


def test_a_library_class_is_known_by_the_name_of_another_file(folder: Path) -> None:
    write(folder, "package/layers.py", "from torch.nn import GRU as Net\n")
    text = f"{HEADER}from package import layers\n{MODEL.format('layers.Net')}".replace(
        "(5)", "(5, 6, batch_first=True)"
    )
    write(folder, "model.py", text + "LSTM = 0\n")
    assert places("model.py") == marked(text)


def test_only_the_linted_file_is_entered(folder: Path) -> None:
    text = f"{HEADER}from package.layers import Encoder, swap\n\n\ndef mine(x):\n    return Encoder(5)(swap(x))\n"
    facts: list[Fact] = []
    machine = Machine(parse(text), facts.append, Imports(SourceTree([folder]), "model.py").home)
    machine.walk()
    assert [function.name for function in machine.defined] == ["mine"]
    assert machine.classes == []
    assert facts
    assert all(fact.where.foreign for fact in facts)


def test_statements_are_apart_unless_they_share_a_line() -> None:
    found = outline(b"a = 1\nb = 2; c = (\n3); d = 4\n@b\ndef e(): pass\nif a:\n    f = 1\n").statements
    rows = {name: [(each.row, each.text.count("\n")) for each in statements] for name, statements in found.items()}
    assert rows == {"a": [(1, 1)], "b": [(2, 2)], "c": [(2, 2)], "d": [(2, 2)], "e": [(4, 2)], "f": [(6, 2)]}


def test_functions_and_constants_are_followed(folder: Path) -> None:
    text = f"""{HEADER}from package.layers import HIDDEN, make, swap


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = make(5)
        self.first = nn.GRU(5, HIDDEN, batch_first=True)
        self.head = nn.Linear(7, 2)

    def forward(self, x):
        out, h_n = self.first(swap(x))
        last = swap(out)[:, -1]  # FL202
        return self.head(out)  # FL301
"""
    write(folder, "model.py", text)
    assert places("model.py") == marked(text)


def test_a_layer_made_elsewhere_is_named_with_its_file_and_not_edited(folder: Path) -> None:
    text = f"""{HEADER}from package.layers import make
lstm = make(5)


def run(x: torch.Tensor):
    out, (h, c) = lstm(x)
    return out[:, -1], h.view(4, -1)
"""
    write(folder, "model.py", text)
    findings = check_text(text, "model.py", Settings(root=folder)).findings
    row = LAYERS.split("\n").index("    return nn.LSTM(size, HIDDEN, num_layers=2)") + 1
    assert findings
    for finding in findings:
        assert f"nn.LSTM made at line {row} of layers.py" in finding.message
        assert finding.fix is None or all(edit.start.row > 3 for edit in finding.fix.edits)


def test_a_base_class_of_another_file_is_followed(folder: Path) -> None:
    text = f"""{HEADER}from package.layers import Encoder


class Model(Encoder):
    def __init__(self):
        super().__init__(5)

    def last(self, x):
        out, _ = self.forward(x)
        return out[-1]  # FL201
"""
    write(folder, "model.py", text)
    assert places("model.py") == marked(text)


def test_cycles_end_and_are_followed(folder: Path) -> None:
    write(folder, "a.py", f"{HEADER}from b import Top, make\n\n\ndef encoder():\n    return make()\n")
    text = f"""{HEADER}import a


def make():
    return nn.GRU(5, 6, batch_first=True)


class Top(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = a.encoder()

    def forward(self, x):
        return self.net(x)[0][-1]  # FL201
"""
    write(folder, "b.py", text)
    assert places("b.py") == marked(text)
    write(folder, "b.py", text.replace("batch_first=True", "batch_first=False"))
    findings = check_text(text, "b.py", Settings(root=folder)).findings  # a text that is not saved
    assert [(finding.code, finding.start.row) for finding in findings] == marked(text)


@pytest.mark.parametrize(
    "other", ["from c import LSTM\n", "LSTM = LSTM\n", "import c\nLSTM = c.LSTM\n", "from d import *\n"]
)
def test_a_name_that_stands_for_itself_is_unknown(folder: Path, other: str) -> None:
    write(folder, "c.py", "from d import LSTM\nLSTM(1, 2)\n")
    write(folder, "d.py", other)
    assert places("c.py") == places("d.py") == []


def test_a_mistake_is_reported_in_its_own_file_only(folder: Path) -> None:
    write(folder, "package/wrong.py", f"{HEADER}{MODEL.format('lambda n: nn.GRU(n, 6, batch_first=True)')}")
    write(
        folder,
        "train.py",
        f"{HEADER}from package.wrong import Model\nmodel = LSTM = Model()\nmodel(torch.zeros(2, 3, 5))\n",
    )
    result = check_files([Path("train.py"), Path("package/wrong.py")], Settings())
    assert [finding.path for finding in result.findings] == ["package/wrong.py"] * len(result.findings)


def test_a_file_without_a_layer_of_its_own_is_linted_if_it_imports_one(folder: Path) -> None:
    text = f"{HEADER}from package import layers\n{MODEL.format('layers.Encoder')}"
    write(folder, "top.py", text)
    write(folder, "package/apart.py", "VALUE = 3\n")
    write(folder, "other.py", text.replace("package import layers", "package import apart"))
    result = check_files([Path("top.py"), Path("other.py")], Settings())
    assert [(finding.path, finding.code) for finding in result.findings] == [("top.py", "FL201")]


def test_a_file_that_only_imports_and_cannot_be_parsed_is_not_reported(folder: Path) -> None:
    write(folder, "old.py", "import torch\nfrom package.layers import Encoder\nprint 'x'\n")
    (folder / "coded.py").write_bytes(b"# coding: nowhere\nimport torch\nfrom package.layers import Encoder\n")
    assert check_files([Path("old.py"), Path("coded.py")], Settings()).findings == []


@pytest.mark.parametrize("text", ["print 'x'\n", "", "\x00", "def f(:\n", "é = '\udcff'\n", "(" * 1000])
def test_a_file_that_cannot_be_read_is_unknown(folder: Path, text: str) -> None:
    (folder / "package/layers.py").write_bytes(text.encode("utf-8", "surrogateescape"))
    write(folder, "model.py", f"{HEADER}from package.layers import Encoder\n{MODEL.format('Encoder')}LSTM = 0\n")
    assert places("model.py") == []


def test_nothing_is_executed(folder: Path) -> None:
    write(folder, "package/layers.py", f"open('ran', 'w')\n{LAYERS}\nopen('ran', 'w')\n")
    text = f"{HEADER}from package.layers import Encoder\n{MODEL.format('Encoder')}"
    write(folder, "model.py", text)
    assert places("model.py") == marked(text)
    assert not Path("ran").exists()


def test_a_nearer_module_comes_first_and_installed_packages_are_not_followed(folder: Path) -> None:
    write(folder, "sub/layers.py", LAYERS)
    write(folder, "layers.py", LAYERS.replace("batch_first=True", "batch_first=False"))
    text = f"{HEADER}from layers import Encoder\n{MODEL.format('Encoder')}"
    write(folder, "sub/model.py", text)
    assert places("sub/model.py") == marked(text)
    for module in ("top.layers", ".layers", "layers"):
        installed = text.replace("from layers", f"from {module}") + "LSTM = 0\n"
        for place, expected in (("site-packages", []), ("program", marked(text))):
            write(folder, f"{place}/top/__init__.py", "")
            write(folder, f"{place}/top/layers.py", LAYERS)
            write(folder, f"{place}/top/m.py", installed)
            assert places(f"{place}/top/m.py") == (expected if module != "layers" else [])


def test_a_src_folder_and_folders_without_init_are_searched(folder: Path) -> None:
    write(folder, "src/deep/parts/layers.py", LAYERS)
    text = f"{HEADER}from deep.parts.layers import Encoder\n{MODEL.format('Encoder')}"
    write(folder, "tests/model.py", text)
    assert places("tests/model.py") == marked(text)


def test_the_cache_depends_on_imported_files(folder: Path) -> None:
    write(folder, "package/__init__.py", "from .layers import Encoder\n")
    write(folder, "model.py", f"{HEADER}from package import Encoder\n{MODEL.format('Encoder')}")

    def codes() -> list[str]:
        found = check_files([Path("model.py")], Settings(), Cache(folder / "cache")).findings
        return [finding.code for finding in found]

    assert codes() == codes() == ["FL201"]
    write(folder, "package/layers.py", LAYERS.replace("batch_first=True", "batch_first=False"))
    assert codes() == []
    write(folder, "package/layers.py", LAYERS)
    assert codes() == ["FL201"]
    (folder / "package/layers.py").unlink()
    assert codes() == []
    write(folder, "package/layers/__init__.py", LAYERS)
    assert codes() == ["FL201"]


def test_a_cached_result_is_used_while_imported_files_stay(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder, "model.py", f"{HEADER}from package.layers import Encoder\n{MODEL.format('Encoder')}")
    cache = Cache(folder / "cache")
    first = check_files([Path("model.py")], Settings(), cache)
    monkeypatch.setattr("fastlstm_lint.run.check_bytes", None)
    assert check_files([Path("model.py")], Settings(), cache).findings == first.findings != []


def test_several_processes_find_the_same(folder: Path) -> None:
    for i in range(20):
        write(
            folder, f"models/m{i}.py", f"{HEADER}from package.layers import Encoder\n{MODEL.format('Encoder')}# {i}\n"
        )
    files = sorted(Path("models").iterdir())
    alone = check_files(files, Settings())
    together = check_files(files, Settings(), jobs=2)
    assert [finding.to_json() for finding in alone.findings] == [finding.to_json() for finding in together.findings]
    assert len(alone.findings) == 20


def test_standard_input_is_taken_for_the_file_it_is_named_after(folder: Path) -> None:
    text = f"{HEADER}from .layers import Encoder\n{MODEL.format('Encoder')}"
    named = ("--output-format", "json", "--stdin-filename", "package/model.py", "-")
    result = CliRunner().invoke(lint, named, input=text)
    assert [each["code"] for each in json.loads(result.stdout)] == ["FL201"]


def test_notebooks_import_files_beside_them(folder: Path) -> None:
    cell = f"{HEADER}from package.layers import Encoder\n{MODEL.format('Encoder')}"
    write(folder, "n.ipynb", json.dumps({"cells": [{"cell_type": "code", "source": cell}], "nbformat": 4}))
    assert places("n.ipynb") == marked(cell)


def test_shapes_and_reveal_shape_know_imported_layers(folder: Path) -> None:
    text = (
        f"{HEADER}from package.layers import Encoder\nencoder = Encoder(5)\nout, h_n = encoder(torch.zeros(2, 3, 5))\n"
    )
    write(folder, "model.py", text)
    result = CliRunner().invoke(shapes, ["model.py"])
    assert "out: (2 batch, 3 time, 6 feature)" in result.stdout
    imports = Imports(SourceTree([folder]), "model.py")
    assert "h_n: (1 layer, 2 batch, 6 feature)" in Document(text, "model.py", imports).written()
    (note,) = check_text(text + "reveal_shape(out)\n", "model.py", Settings()).findings
    assert note.message == "out is (2 batch, 3 time, 6 feature)"


def test_editors_and_flake8_follow_imports_too(folder: Path) -> None:
    text = f"{HEADER}from .layers import Encoder\n{MODEL.format('Encoder')}"
    path = write(folder, "package/model.py", "")
    buffer = Buffer(text, 1, path)
    assert [(finding.code, finding.start.row) for finding in buffer.findings] == marked(text)
    assert buffer.program is not None
    plugin = Plugin(None, "package/model.py", text.splitlines(keepends=True))
    assert [row for row, *_ in plugin.run()] == [row for _, row in marked(text)]


def test_a_size_is_the_same_whether_it_is_given_or_read_from_a_state(folder: Path) -> None:
    write(folder, "utils.py", "def to_var(x):\n    if x.is_cuda:\n        x = x.cuda()\n    return x\n")
    text = f"""{HEADER}from utils import to_var


class Model(nn.Module):
    def __init__(self, size, layers=1):
        super().__init__()
        self.size, self.rows = size, layers
        self.rnn = nn.GRU(size, size, num_layers=layers, batch_first=True)
        self.start = nn.Linear(3, size * layers)

    def sample(self, n=4, z=None):
        if z is None:
            batch = n
            z = to_var(torch.randn([batch, 3]))
        else:
            batch = z.size(0)
        return self.start(z).view(self.rows, batch, self.size)  # FL204
"""
    write(folder, "model.py", text)
    assert places("model.py") == marked(text)


def test_calls_of_other_files_are_followed_up_to_a_limit(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = f"{HEADER}from package.layers import Encoder\n{MODEL.format('Encoder')}"
    write(folder, "model.py", text)
    assert places("model.py") == marked(text)
    monkeypatch.setattr("fastlstm_lint.interpreter.machine.ABROAD", -100)
    assert places("model.py") == []
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    monkeypatch.setattr("fastlstm_lint.interpreter.machine.LINES_ABROAD", 3)
    assert places("model.py") == []
