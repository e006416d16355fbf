"""`fastlstm prove`: models found, made, given an input, run, and judged."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from fastlstm.cli.prove import prove
from fastlstm.prove import build, find
from fastlstm.prove.sizes import guess_input

MODELS = """
import torch
from torch import nn

class Mixing(nn.Module):
    def __init__(self, input_size, hidden_size, num_layers=2):
        super().__init__()
        self.lstm = nn.LSTM(input_size, hidden_size, num_layers, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * num_layers * hidden_size, 3)

    def forward(self, x):
        _, (h_n, _) = self.lstm(x)
        return self.head(h_n.view(x.size(0), -1))

class Tokens(nn.Module):
    def __init__(self, vocab_size, embed_dim):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, embed_dim)
        self.gru = nn.GRU(embed_dim, 6)

    def forward(self, tokens):
        return self.gru(self.embed(tokens))[0]

class Norm(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(5)

    def forward(self, x):
        return self.norm(x.mean(1))

class Both(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(5, 6, bidirectional=True, batch_first=True)

    def forward(self, x):
        return self.gru(x)

class Strange(nn.Module):
    def __init__(self, strange, hidden):
        super().__init__()

class Fails(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(3, 6, batch_first=True)
        self.other = nn.GRU(5, 6, batch_first=True)

    def forward(self, x):
        return self.gru(self.other(x)[0])[0]

class Two(Both):
    def forward(self, x, h):
        return self.gru(x, h)

class Packs(Both):
    def forward(self, x):
        return nn.utils.rnn.pack_padded_sequence(x, [7, 7, 7, 7], batch_first=True)

def make(vocab=9):
    return Tokens(vocab, 4)

def wide(n):
    return Mixing(n, 4, 1)

ready = nn.LSTM(5, 6)
number = 3
"""


@pytest.fixture(autouse=True)
def clean_imports(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The command puts folders on the path and modules among those loaded."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("prove_"):
            del sys.modules[name]


@pytest.fixture
def models(tmp_path: Path) -> Path:
    file = tmp_path / "prove_models.py"
    file.write_text(MODELS)
    return file


def run(target: str, *arguments: str) -> Result:
    result = CliRunner().invoke(prove, [target, *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def matrix(text: str) -> list[str]:
    return ["".join(line.split()[3:]) for line in text.splitlines() if line.startswith("output ")]


def test_a_model_that_mixes_samples_is_shown_with_what_was_guessed(models: Path) -> None:
    result = run(f"{models}:Mixing")
    assert result.exit_code == 1
    assert "Mixing(input_size=5, hidden_size=6) (guessed: input_size, hidden_size; --kwargs to choose)" in result.stdout
    assert "input (4, 7, 5) float32, as its source tells: x is (B batch, T time, input_size feature)" in result.stdout
    assert result.stderr == f"This runs the code of {models}.\n"
    # h_n is (4, B, H), cut into B pieces: every row of the result holds all samples of one layer and direction.
    assert matrix(result.stdout) == ["####"] * 4
    assert "'s output depends on sample " in result.stdout


def test_arguments_sizes_and_seeds_are_chosen(models: Path) -> None:
    target = f"{models}:Mixing"
    result = run(target, "--args", "[3, 4]", "--kwargs", "{'num_layers': 1}", "--input", "6,2,3", "--seed", "4")
    assert "Mixing(3, 4, num_layers=1)\ninput (6, 2, 3) float32, evaluation mode" in result.stdout
    # Rows l0s0 ... l0s5 l1s0 ... cut into pieces of two.
    assert matrix(result.stdout) == ["##....", "..##..", "....##"] * 2
    assert (
        run(target, "--args", "[3, 4]", "--input", "6,2,3", "--seed", "4").stdout
        == run(target, "--args", "[3, 4]", "--input", "6,2,3", "--seed", "4").stdout
    )


def test_token_ids_are_recognised_and_axes_follow_the_source(models: Path) -> None:
    result = run(f"{models}:Tokens")
    assert result.exit_code == 0
    assert "input (7, 4) int64, as its source tells: tokens is (T time, B batch)" in result.stdout
    assert matrix(result.stdout) == ["#...", ".#..", "..#.", "...#"]
    assert "Holds: no sample's output" in result.stdout
    assert run(f"{models}:make", "--causal").exit_code == 0
    wrong = run(f"{models}:make", "--batch-dim", "0", "--out-batch-dim", "0", "--input", "4,7")
    assert wrong.exit_code == 1
    assert "batch_first=True is missing" in wrong.stdout
    assert run(f"{models}:Tokens", "--dtype", "int", "--high", "5", "--input", "3,2").exit_code == 0


def test_the_number_of_ids_is_that_of_the_embedding(models: Path) -> None:
    given = guess_input(build(find(f"{models}:Tokens")))
    assert given is not None
    assert (given.sizes, given.batch, given.time, given.high) == ((7, 4), 1, 0, 11)
    given = guess_input(build(find(f"{models}:make")))
    assert given is not None
    assert given.high == 9
    given = guess_input(build(find(f"{models}:wide"), "[8]"))
    assert given is not None
    assert given.sizes == (4, 7, 8)


def test_steps_are_asked_with_causal(models: Path) -> None:
    result = run(f"{models}:Both", "--causal")
    assert result.exit_code == 1
    assert "Holds: no sample's" in result.stdout
    assert "step 0's output" in result.stdout or "'s output depends on step" in result.stdout
    assert "GRU 'gru' is bidirectional" in result.stdout
    assert run(f"{models}:Both").exit_code == 0
    assert run(f"{models}:Both", "--output", "1", "--out-batch-dim", "1").exit_code == 0
    assert run(f"{models}:ready", "--causal").exit_code == 0
    assert run(f"{models}:Both", "--causal", "--lookahead", "6").exit_code == 0


def test_training_mode_is_asked_for(models: Path) -> None:
    assert run(f"{models}:Norm").exit_code == 0
    result = run(f"{models}:Norm", "--train")
    assert result.exit_code == 1
    assert "training mode" in result.stdout
    assert "BatchNorm1d 'norm'" in result.stdout


BLOCKED = "import sys; sys.modules['torch'] = None\n"
"""In a process that begins so, torch is not installed."""


def test_without_torch_arrays_are_judged_and_torch_models_explained(python: Any, models: Path, tmp_path: Path) -> None:
    file = tmp_path / "prove_arrays.py"
    file.write_text(
        "import fastlstm\nlayer = fastlstm.GRU(3, 4, batch_first=True)\ndef mean(x):\n    return x - x.mean(0)\n"
    )
    command = BLOCKED + "from fastlstm.cli import main\nmain({})"
    done = python("-c", command.format(["prove", f"{file}:layer", "--causal"]))
    assert done.returncode == 0, done.stderr
    assert matrix(done.stdout)[:4] == ["#...", ".#..", "..#.", "...#"]
    done = python("-c", command.format(["prove", f"{models}:Mixing"]))
    assert done.returncode == 2
    assert "imports torch, which is not installed: pip install torch" in done.stderr
    done = python("-c", BLOCKED + "import numpy\nfrom fastlstm.testing import assert_batch_independent, reveal_shape\n"
                  "assert_batch_independent(lambda x: x.sum(1), reveal_shape(numpy.eye(3)))")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == "reveal_shape: (3, 3) float64\n"


def test_layers_on_arrays_are_judged(tmp_path: Path) -> None:
    file = tmp_path / "prove_arrays.py"
    file.write_text(
        "import fastlstm\ndef make(hidden_size):\n    return fastlstm.LSTM(3, hidden_size, batch_first=True)\n"
    )
    result = run(f"{file}:make", "--causal")
    assert result.exit_code == 0
    assert "input (4, 7, 3) float32, as LSTM takes it" in result.stdout
    assert matrix(result.stdout)[:4] == ["#...", ".#..", "..#.", "...#"]


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("Strange", [], """Strange needs strange: give --kwargs '{"strange": ...}'"""),
        ("Nowhere", [], "has no Nowhere; it has Mixing, Tokens, Norm, Both, Strange, Fails, Two, Packs"),
        ("number", [], "number is a int, not a model"),
        ("ready", ["--args", "[1]"], "ready is a LSTM already"),
        ("Mixing", ["--args", "5"], "--args must be a literal"),
        ("Mixing", ["--kwargs", "open('x')"], "--kwargs must be a literal"),
        ("Mixing", ["--kwargs", "{'nothing': 1}"], "unexpected keyword argument"),
        ("Mixing", ["--input", "4,x"], "is not a shape such as 4,7,5"),
        ("Mixing", ["--input", "1,7,5"], "an input of 1 samples shows nothing"),
        ("Mixing", ["--input", "4,7,9"], "Make the layer with input_size=9"),
        ("Tokens", ["--dtype", "float32"], "with an input (7, 4)"),
        ("Fails", [], "Expected 3, got 6"),
        ("Two", [], "Give an --input for each further argument"),
        ("Packs", [], "that output is a packed sequence"),
        ("Mixing", ["--plot", "x.nothing"], "--plot"),
    ],
)
def test_what_cannot_be_run_is_explained(models: Path, name: str, arguments: list[str], message: str) -> None:
    result = run(f"{models}:{name}", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_targets_that_cannot_be_imported_are_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prove_torchless.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')\n"
    )
    (tmp_path / "prove_exits.py").write_text("import sys\nsys.exit(3)\n")
    for target, message in {
        "prove_torchless:Model": "imports torch, which is not installed: pip install torch",
        "prove_torchless.py:Model": "imports torch, which is not installed: pip install torch",
        "prove_exits.py:Model": "running prove_exits.py failed: SystemExit: 3",
        "prove_none:Model": "importing prove_none failed",
        "none.py:Model": "no such file: none.py",
        "Model": "is not MODULE:CLASS or FILE.py:CLASS",
    }.items():
        result = run(target)
        assert result.exit_code == 2
        assert message in result.stderr


def test_a_module_of_the_present_folder_is_found(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(models.parent)
    assert run("prove_models:Tokens").exit_code == 0


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_a_picture_is_drawn(models: Path, tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"proof.{ending}"
    result: Any = run(f"{models}:Both", "--causal", "--plot", str(file))
    assert result.exit_code == 1
    data = file.read_bytes()
    assert data.startswith(b"\x89PNG") if ending == "png" else b"output sample" in data


SEVERAL = """
import torch
from torch import nn

class Lengths(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(5, 6, batch_first=True)

    def forward(self, x, lengths):
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True)
        return nn.utils.rnn.pad_packed_sequence(self.gru(packed)[0], batch_first=True)[0]

class Stateful(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(5, 6, 2)

    def forward(self, x, state, scale=1.0):
        h, c = state
        assert h.dtype == c.dtype == x.dtype
        return self.lstm(x, state)[0] * scale
"""


@pytest.mark.parametrize(
    ("name", "inputs", "options"),
    [
        ("Lengths", ["4,7,5", "4:int=7"], []),
        ("Stateful", ["7,4,5", "2,4,6+2,4,6"], ["--batch-dim", "1"]),
        ("Stateful", ["7,4,5", "(2,4,6)+(2,4,6)", "1:float32=2"], ["--batch-dim", "1"]),
    ],
)
def test_further_inputs_are_given_and_stay_fixed(
    tmp_path: Path, name: str, inputs: list[str], options: list[str]
) -> None:
    (tmp_path / "several.py").write_text(SEVERAL)
    given = [word for text in inputs for word in ("--input", text)]
    result = CliRunner().invoke(prove, [f"{tmp_path / 'several.py'}:{name}", *given, *options])
    assert result.exit_code == 0, result.output
    assert "# . . ." in result.stdout
    missing = CliRunner().invoke(prove, [f"{tmp_path / 'several.py'}:{name}", *given[:2], *options])
    assert missing.exit_code == 2
    assert "Give an --input for each further argument" in missing.output


@pytest.mark.parametrize("inputs", [["4,7,5+4"], ["4=1"], ["4,7", "0,3"], ["4,7", "4:word"], ["4,,7"], ["4,7", "4+"]])
def test_inputs_that_mean_nothing_are_refused(tmp_path: Path, inputs: list[str]) -> None:
    (tmp_path / "several.py").write_text(SEVERAL)
    result = CliRunner().invoke(
        prove, [f"{tmp_path / 'several.py'}:Lengths", *(w for t in inputs for w in ("--input", t))]
    )
    assert result.exit_code == 2
    assert "--input" in result.output


LAYOUTS = """
import torch
from torch import nn

class Base(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(5, 6, bidirectional=True)
        self.head = nn.Linear(12, 3)

class ManyToOne(Base):
    def forward(self, x):
        out, _ = self.rnn(x)
        return self.head(out.mean(0))

class States(Base):
    def forward(self, x):
        _, (h, c) = self.rnn(x)
        return self.head(h[-2:].transpose(0, 1).reshape(x.size(1), -1))

class Turned(Base):
    def forward(self, x):
        return self.head(self.rnn(x)[0].transpose(0, 1))

class Pair(Base):
    def forward(self, x):
        out, (h, c) = self.rnn(x)
        return out.mean(0), h

class Scrambled(Base):
    def forward(self, x):
        out, _ = self.rnn(x)
        return self.head(out.reshape(x.size(1), x.size(0), 12))
"""


@pytest.mark.parametrize(
    ("name", "options", "holds"),
    [
        ("ManyToOne", [], True),
        ("States", [], True),
        ("Turned", [], True),
        ("Pair", [], True),
        ("Pair", ["--output", "1"], True),
        ("Scrambled", [], False),
        ("ManyToOne", ["--input", "9,3,5"], True),
        ("Turned", ["--batch-dim", "1"], True),
    ],
)
def test_the_batch_of_the_output_is_where_the_source_says(
    tmp_path: Path, name: str, options: list[str], holds: bool
) -> None:
    (tmp_path / "layouts.py").write_text(LAYOUTS)
    result = CliRunner().invoke(prove, [f"{tmp_path / 'layouts.py'}:{name}", *options])
    assert result.exit_code == (0 if holds else 1), result.output
