"""`fastlstm prove` in pytest: what it costs who does not use it, the fixture, and targets named in settings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

MODELS = """
import torch
from torch import nn

class Mixing(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.lstm = nn.LSTM(input_size, hidden_size, num_layers=2, batch_first=True)

    def forward(self, x):
        return self.lstm(x)[1][0].view(x.size(0), -1)

class Good(Mixing):
    def forward(self, x):
        return self.lstm(x)[0][:, -1]
"""

TESTS = """
import pytest
from models import Good, Mixing

def test_a_class_and_a_model(prove):
    prove(Good)
    model = Good(5, 6)
    prove(model, sizes=(3, 4, 5), causal=False)
    assert model.training

def test_mixing(prove):
    with pytest.raises(AssertionError) as caught:
        prove(Mixing)
    text = str(caught.value)
    assert "Mixing(input_size=5, hidden_size=6)" in text
    assert "'s output depends on sample " in text

def test_causal(prove):
    with pytest.raises(AssertionError, match="no output belongs to each step"):
        prove(Good, causal=True)
"""


@pytest.fixture
def run(python: Any, tmp_path: Path) -> Any:
    (tmp_path / "models.py").write_text(MODELS)

    def run(*words: str, **files: str) -> Any:
        for name, text in files.items():
            (tmp_path / name.replace("_ini", ".ini").replace("_py", ".py")).write_text(text)
        # As if it was installed, whether it is or not.
        alone = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        plugins = ("-p", "no:cacheprovider", "-p", "fastlstm.pytest_plugin")
        return python("-m", "pytest", "-q", *plugins, *words, cwd=tmp_path, env=alone)

    return run


def test_the_fixture_judges_and_targets_are_tests_of_their_own(run: Any) -> None:
    ini = "[pytest]\npythonpath = .\nfastlstm_prove =\n    models.py:Good\n    models.py:No\n"
    done = run("--prove", "models.py:Mixing", test_it_py=TESTS, pytest_ini=ini)
    assert done.returncode == 1, done.stdout
    assert "2 failed, 4 passed" in done.stdout
    assert "FAILED ::prove models.py:Mixing" in done.stdout
    assert "'s output depends on sample " in done.stdout
    assert "models.py has no No; it has " in done.stdout
    assert "Traceback" not in done.stdout


def test_targets_are_selected_as_other_tests_are(run: Any) -> None:
    ini = "[pytest]\nfastlstm_prove =\n    models.py:Good\n    models.py:No\n"
    done = run("--collect-only", "-k", "Good", pytest_ini=ini)
    assert "prove models.py:Good" in done.stdout
    assert "prove models.py:No" not in done.stdout


def test_who_does_not_use_it_pays_nothing(python: Any) -> None:
    done = python("-c", "import fastlstm.pytest_plugin, sys; print(*sys.modules)")
    loaded = done.stdout.split()
    assert "fastlstm.pytest_plugin" in loaded
    assert not {"numpy", "numba", "torch", "fastlstm.prove"} & set(loaded)
    assert not [name for name in loaded if name.startswith("fastlstm_lint.")]  # without these it is a version
