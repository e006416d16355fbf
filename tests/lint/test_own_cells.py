"""The linter knows fastlstm.Recurrent, the shelf's states, and what all_states=True adds."""

from __future__ import annotations

from fastlstm_lint import check_source
from fastlstm_lint.signatures.recurrent import SHELF

from fastlstm import cells

HEAD = """
import torch
import fastlstm
import fastlstm.torch
from fastlstm import cells
from fastlstm.torch import Recurrent

x = torch.zeros(7, 3, 5)
"""


def told(*lines: str) -> list[str]:
    """The message of each finding."""
    return [finding.message for finding in check_source(HEAD + "\n".join(lines) + "\n", "case.py")]


def test_the_shelf_s_states_are_those_of_the_cells() -> None:
    assert {name: getattr(cells, name).states for name in cells.SHELF} == SHELF


def test_shapes_of_what_a_recurrent_returns() -> None:
    assert told(
        "layer = fastlstm.Recurrent(cells.PeepholeLSTM, 5, 6, 2, bidirectional=True)",
        "output, (h, c) = layer(x)",
        "reveal_shape(output)",
        "reveal_shape(c)",
        "own = Recurrent(fastlstm.cells.sLSTM, 5, 8, num_heads=4, batch_first=True)",
        "output, (h, c, n, m) = own(x)",
        "reveal_shape(m)",
        "output, state = Recurrent(cells.minGRU, 5, 8)(x)",
        "reveal_shape(state)",
        "output, state = Recurrent(mine, 5, 8)(x)",
        "reveal_shape(output)",
    ) == [
        "output is (7 time, 3 batch, 12 feature)",
        "c is (4 layer*direction, 3 batch, 6 feature)",
        "m is (1 layer, 7 batch, 8 feature)",
        "state is (1 layer, 3 batch, 8 feature)",
        "output is (7 time, 3 batch, 8 feature)",
    ]


def test_states_of_every_step() -> None:
    assert told(
        "output, (h_n, c_n), (h, c) = fastlstm.torch.LSTM(5, 6, bidirectional=True)(x, all_states=True)",
        "reveal_shape(c)",
        "output, h_n, every = fastlstm.torch.GRU(5, 6)(x, all_states=True)",
        "reveal_shape(every[0])",
        "output, states, every = fastlstm.torch.LSTM(5, 6)(x, all_states=flag)",
        "output, states, every = Recurrent(cells.LIF, 5, 6)(x, all_states=True)",
        "reveal_shape(every[2])",
    ) == ["c is (7 time, 3 batch, 12 feature)", "every[0] is (7 time, 3 batch, 6 feature)",
          "every[2] is (7 time, 3 batch, 6 feature)"]  # fmt: skip


def test_a_wrong_call_is_found() -> None:
    (wrong,) = told("Recurrent(cells.minGRU, 4, 8)(x)")
    assert "fastlstm.torch.Recurrent takes input_size=4 features and gets 5" in wrong
    (wrong,) = told("output, h, c = Recurrent(cells.PeepholeLSTM, 5, 8)(x)")
    assert "returns (output, (h_n, c_n)): two things, not three" in wrong
