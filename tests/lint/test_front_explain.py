"""Rules in words, and torch's own messages, raised here by torch, traced to the rule."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from click.testing import CliRunner
from fastlstm_lint.explain import CAUSES, explain
from fastlstm_lint.rules import load_rules
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence as pack

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
    "view": (lambda: x.transpose(0, 1).view(28, 5), "FL204", "reshape"),
}


@pytest.mark.parametrize("name", CASES)
def test_torchs_own_message_names_the_rule_and_the_change(name: str) -> None:
    call, code, change = CASES[name]
    with pytest.raises((RuntimeError, TypeError, ValueError)) as raised:
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


def test_what_is_neither_code_nor_error_is_not_explained() -> None:
    assert explain("FL999") is None
    assert explain("LSTM(5, 6)") is None


def test_every_cause_names_rules_that_exist() -> None:
    known = {rule.code for rule in load_rules()}
    # FL507 comes with the last rules.
    assert {code for cause in CAUSES for code in cause.rules} - known <= {"FL507"}


def test_the_command_explains_rules_errors_and_layers() -> None:
    from fastlstm.cli.explain import explain as command

    def shown(text: str) -> str:
        result = CliRunner().invoke(command, [text])
        assert result.exit_code == 0, result.output
        return result.output

    assert "memory   l0s0" in shown("FL205")
    assert "FL310" in shown("UserWarning: dropout option adds dropout after all but last recurrent layer")
    assert "parameters" in shown("LSTM(5, 6)")
