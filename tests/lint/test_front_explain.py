"""Rules in words, and torch's own messages, raised here by torch, traced to the rule."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
import torch
from click.testing import CliRunner
from fastlstm_lint.causes import CAUSES, SUMMARIES
from fastlstm_lint.dims import words
from fastlstm_lint.explain.reasons import explain, understand
from fastlstm_lint.rules import by_code, load_rules
from refusals import REFUSALS, message_of
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence as pack
from torch.nn.utils.rnn import pad_packed_sequence as unpack

x = torch.zeros(4, 7, 5)
lstm = nn.LSTM(5, 6, batch_first=True)
gru = nn.GRU(5, 6, batch_first=True)

CASES: dict[str, tuple[Callable[[], object], str, str]] = {
    "batch-first state": (lambda: gru(x, torch.zeros(4, 1, 6)), "FL101", "torch.zeros(1, 4, 6)"),
    "batch-first states": (lambda: lstm(x, (torch.zeros(4, 1, 6), torch.zeros(4, 1, 6))), "FL101", "(1, 4, 6)"),
    "rows": (lambda: gru(x, torch.zeros(2, 4, 6)), "FL102", "1 here, and the state given has 2"),
    "batch of time": (lambda: gru(x, torch.zeros(1, 7, 6)), "FL104", "x.size(0)"),
    "rank": (lambda: gru(x, torch.zeros(1, 6)), "FL103", "(L*D, B, H)"),
    "features": (lambda: gru(torch.zeros(4, 7, 3)), "FL302", "input_size=3"),
    "head": (lambda: nn.Linear(6, 2)(torch.zeros(4, 12)), "FL301", "nn.Linear(12, 2)"),
    "tuple": (lambda: nn.Linear(6, 2)(lstm(x)), "FL508", "output, state = layer(x)"),
    "unsorted": (lambda: pack(x, [1, 2, 3, 4], batch_first=True), "FL405", "enforce_sorted=False"),
    "lengths": (lambda: pack(x, [4, 3, 2, 1]), "FL401", "4 lengths"),
    "classes": (lambda: nn.CrossEntropyLoss()(x, torch.zeros(4, 7).long()), "FL604", "transpose(1, 2)"),
    "pair for a GRU": (lambda: gru(x, (torch.zeros(1, 4, 6),) * 2), "FL106", "gru(x, h_0)"),
    "cell features": (lambda: nn.GRUCell(5, 6)(torch.zeros(4, 3)), "FL302", "input_size=3"),
    "cell steps": (lambda: nn.LSTMCell(5, 6)(x), "FL302", "instead of LSTMCell"),
    "cell batch": (lambda: nn.GRUCell(5, 6)(torch.zeros(4, 5), torch.zeros(3, 6)), "FL105", "x.size(0)"),
    "convolution": (lambda: nn.Conv1d(5, 3, 3)(x), "FL210", "x of 5 features"),
    "batch norm": (lambda: nn.BatchNorm1d(5)(x), "FL210", "x of 5 features"),
    "rows of logits": (
        lambda: nn.CrossEntropyLoss()(torch.zeros(28, 5), torch.zeros(4).long()),
        "FL201",
        "output[:, -1]",
    ),
    "joined": (lambda: torch.cat([x, x.transpose(0, 1)], 2), "FL203", "transpose(0, 1)"),
    "float ids": (lambda: nn.Embedding(9, 5)(torch.zeros(4, 7)), "", "dtype=torch.long"),
    "large ids": (lambda: nn.Embedding(9, 5)(torch.tensor([9])), "", "largest id + 1"),
    "device": (lambda: gru(x, torch.zeros(1, 4, 6, device="meta")), "", "device=x.device"),
    "projected GRU": (lambda: nn.GRU(5, 6, proj_size=2), "FL307", "nn.LSTM(input_size, hidden_size, proj_size="),
    "float size": (lambda: nn.LSTM(5, 6 / 2), "FL307", "//"),
    "bias": (lambda: nn.LSTM(5, 6, 1, 0.5), "FL309", "dropout="),
    "padded twice": (lambda: unpack(x), "FL402", "Leave pad_packed_sequence out"),
    "view": (lambda: x.transpose(0, 1).view(28, 5), "FL204", "reshape"),
    "one tensor for an LSTM": (lambda: lstm(x, torch.zeros(1, 4, 6)), "FL106", "(h_0, c_0)"),
    "one tensor for an LSTMCell": (lambda: nn.LSTMCell(5, 6)(x[0], x[0]), "FL106", "(h_0, c_0)"),
    "cell state of a layer": (lambda: nn.GRUCell(5, 6)(x[0], torch.zeros(1, 7, 6)), "FL103", "squeeze(0)"),
    "cell hidden": (lambda: nn.GRUCell(5, 6)(x[0], torch.zeros(7, 5)), "FL707", "torch.zeros(batch, 6)"),
    "integers": (lambda: lstm(x.long()), "FL710", "weight_ih_l0.dtype"),
    "integers in a head": (lambda: nn.Linear(5, 2)(x.long()), "FL710", "x.float()"),
    "mean of integers": (lambda: x.long().mean(), "FL710", "x.float()"),
    "axis": (lambda: x[0].transpose(1, 2), "FL705", "dim=-1"),
    "indices": (lambda: x[0][0, 0, 0], "FL705", "batch_first"),
    "index": (lambda: x[4], "FL705", "batch_first"),
    "permuted": (lambda: x.permute(1, 0), "FL705", "transpose(a, b)"),
    "broadcast": (lambda: x + x.transpose(0, 1), "FL702", "unsqueeze"),
    "entries": (lambda: x.view(4, 30), "FL704", "-1"),
    "batches": (lambda: torch.bmm(x, x), "FL701", "transpose(1, 2)"),
    "einsum": (lambda: torch.einsum("bt,bt->b", x, x), "FL701", "one letter per axis"),
    "stacked": (lambda: torch.stack([x, x[0]]), "FL703", "unsqueeze"),
    "layer norm": (lambda: nn.LayerNorm(6)(x), "FL707", "nn.LayerNorm"),
    "split": (lambda: x.split([2, 2], -1), "FL706", "chunk(n, dim)"),
    "targets": (lambda: nn.CrossEntropyLoss()(x[0], torch.zeros(7, 1).long()), "FL708", "squeeze(1)"),
}


@pytest.mark.parametrize("name", CASES)
def test_torchs_own_message_names_the_rule_and_the_change(name: str) -> None:
    call, code, change = CASES[name]
    with pytest.raises((RuntimeError, TypeError, ValueError, AttributeError, IndexError)) as raised:
        call()
    told = explain(f"Traceback (most recent call last):\n  ...\n{raised.type.__name__}: {raised.value}")
    assert told is not None, str(raised.value)
    if any(rule.code == code for rule in load_rules()):
        assert f"Rule:    {code} " in told, (str(raised.value), told)
    assert change in told


def test_every_rule_and_the_linters_own_codes_have_a_page() -> None:
    for rule in load_rules():
        assert rule.name in (explain(rule.code.lower()) or "")
    assert "noqa" in (explain("FL900") or "")


@pytest.mark.parametrize("name", REFUSALS)
def test_what_torch_refuses_is_explained_in_both_languages(name: str) -> None:
    call, code, change = REFUSALS[name]
    message = message_of(call)
    told, in_chinese = understand(message), understand(message, "zh")
    assert told is not None, message
    assert in_chinese is not None
    assert code in told.rules or not code, (message, told)
    assert change in told.change, (message, told)
    for text in (told.cause, told.change, in_chinese.cause, in_chinese.change):
        assert "?" not in text.replace("batch_first what the input is?", ""), "a number that the message has not"


def test_of_a_traceback_the_last_message_is_explained() -> None:
    first = "IndexError: Dimension out of range (expected to be in range of [-2, 1], but got 2)"
    last = "RuntimeError: Expected hidden[0] size (2, 4, 6), got [4, 2, 6]"
    told = understand(f"{first}\n\nDuring handling of the above exception, another exception occurred:\n\n{last}")
    assert told is not None
    assert told.rules == ("FL101",)


def test_every_cause_has_both_languages_with_the_same_numbers() -> None:
    for cause in CAUSES:
        names = {lang: set(re.findall(r"\{(\w+)\}", " ".join(cause.texts[lang]))) for lang in ("en", "zh")}
        assert names["en"] == names["zh"], cause.pattern.pattern
        known = set(cause.pattern.groupindex) | {"k"}  # a comprehension in one of the changes
        assert names["en"] <= known, cause.pattern.pattern
        assert re.search("[\u4e00-\u9fff]", cause.texts["zh"][0] + cause.texts["zh"][1])


def test_the_rules_are_told_in_chinese_too() -> None:
    assert set(SUMMARIES) <= {rule.code for rule in load_rules()}
    message = "Expected hidden[0] size (2, 4, 6), got [4, 2, 6]"
    assert (explain(message, "zh") or "").endswith("规则：FL101 state-batch-first：初始状态写成了 (批, 层, 隐藏)")


PIECES = (
    "lengths ",
    "linear() argument 'input' ",
    "Error(s) in loading state_dict Missing key(s) in state_dict: x",
    "Error: ",
    "permute(",
    "Target size (",
    "(((",
    "[1, 2, ",
    "Expected hidden[0] size (",
    "TypeError: lengths ",
    "a.",
)


@pytest.mark.parametrize("piece", PIECES)
def test_a_long_text_is_read_in_little_time(piece: str) -> None:
    """In processor time, forty times what it takes here: a pattern that tries all pairs of places takes hours."""
    start = time.process_time()
    explain(piece * (1_000_000 // len(piece)))
    assert time.process_time() - start < 20


def test_a_rule_is_found_by_its_name() -> None:
    for asked in ("state-batch-first", "State batch first", " STATE_BATCH_FIRST\n"):
        assert (explain(asked) or "").startswith("# FL101 state-batch-first")
    assert (explain("unused-suppression") or "").startswith("# FL900")


def test_what_is_neither_code_nor_error_is_not_explained() -> None:
    assert explain("FL999") is None
    assert explain("LSTM(5, 6)") is None


def test_every_cause_names_rules_that_exist() -> None:
    known = {rule.code for rule in load_rules()}
    # FL507 comes with the last rules.
    assert {code for cause in CAUSES for code in cause.rules} - known <= {"FL507"}


def test_the_command_explains_rules_errors_and_layers() -> None:
    from fastlstm_lint.cli.explain import explain as command

    def shown(text: str) -> str:
        result = CliRunner().invoke(command, [text])
        assert result.exit_code == 0, result.output
        return result.output

    assert "memory   l0s0" in shown("FL205")
    assert "FL310" in shown("UserWarning: dropout option adds dropout after all but last recurrent layer")
    assert "parameters" in shown("LSTM(5, 6)")


DRAWN = words("FL201 FL202 FL203 FL204 FL205 FL206 FL207 FL208 FL303 FL304 FL305 FL306 FL403")
"""The rules about which numbers are taken from memory."""


@pytest.mark.parametrize("code", DRAWN)
def test_a_rule_about_the_order_of_numbers_draws_them(code: str) -> None:
    drawing = [line for line in by_code()[code].explanation.splitlines() if line.startswith("    ")]
    assert len(drawing) >= 3


def label(rows: str, samples: int) -> list[str]:
    """What a drawing calls the entries of a (rows, samples) array, in memory order."""
    return [f"{row}{sample}" for row in rows.split() for sample in range(samples)]


def test_the_drawn_numbers_are_those_that_torch_takes() -> None:
    def taken(picked: torch.Tensor, names: list[str]) -> list[str]:
        return [names[i] for i in picked.flatten().tolist()]

    def drawn(code: str, head: str) -> list[str]:
        (line,) = (line for line in by_code()[code].explanation.splitlines() if line.startswith(f"    {head} "))
        return [word.strip("[],") for word in line[4 + len(head) :].split() if re.match(r"\[?[slt]\d", word)]

    batch_first, names = torch.arange(6).view(2, 3), label("s0t s1t", 3)
    assert drawn("FL201", "memory") == names
    assert drawn("FL201", "output[-1]") == taken(batch_first[-1], names)
    assert drawn("FL201", "output[:, -1]") == taken(batch_first[:, -1], names)
    sequence_first, names = torch.arange(6).view(3, 2), label("t0s t1s t2s", 2)
    assert drawn("FL202", "output[:, -1]") == taken(sequence_first[:, -1], names)
    assert drawn("FL202", "output[-1]") == taken(sequence_first[-1], names)
    names = label("s0t s1t", 3)
    assert drawn("FL204", "view(3, 2)") == taken(batch_first.view(3, 2), names)
    assert drawn("FL204", "transpose") == taken(batch_first.t(), names)
    h_n, names = torch.arange(8).view(2, 4), label("l0s l1s", 4)
    assert drawn("FL205", "view") == taken(h_n.view(4, 2), names)
    assert drawn("FL205", "meant") == taken(h_n.t(), names)
    h_n, names = torch.arange(6).view(2, 3), label("l0s l1s", 3)
    assert drawn("FL207", "h_n[:, -1]") == taken(h_n[:, -1], names)
    assert drawn("FL207", "h_n[-1]") == taken(h_n[-1], names)
    rows, names = torch.arange(4), ["l0f", "l0b", "l1f", "l1b"]
    assert drawn("FL305", "h_n[:2]") == taken(rows[:2], names)
    assert drawn("FL305", "h_n[0::2]") == taken(rows[0::2], names)
    assert drawn("FL303", "h_n[-1]") == taken(rows[-1:], names)
