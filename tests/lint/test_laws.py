"""Every law of torch is asked: random programs with torch as the judge, and what must hold of single findings."""

from __future__ import annotations

from statistics import median

import pytest
from fastlstm_lint import Finding, check_source
from torch_programs import HEADER, judge, program, shrunk
from torch_programs.judge import NAME

SEEDS = range(20_000, 20_200)
"""The sample of each run; thousands are judged by `PYTHONPATH=tests/shared python -m torch_programs`."""


def findings(text: str) -> list[Finding]:
    return check_source(HEADER + "nn.LSTM(5, 6)\n" + text, NAME)


def codes(text: str) -> list[str]:
    return [finding.code for finding in findings(text)]


@pytest.mark.parametrize("first", range(SEEDS.start, SEEDS.stop, 20))
def test_what_torch_refuses_is_found_at_its_line_and_nothing_else(first: int) -> None:
    for seed in range(first, first + 20):
        verdict = judge(program(seed))
        wrong = verdict.missed or verdict.false or verdict.untrue
        assert not wrong, f"seed {seed}: {verdict.error} line {verdict.line}, found {verdict.found}, {verdict.untrue}"


def test_the_programs_go_deep_and_torch_refuses_many_of_them() -> None:
    verdicts = [judge(program(seed)) for seed in range(SEEDS.start, SEEDS.start + 100)]
    refused = [verdict for verdict in verdicts if verdict.line is not None]
    assert 30 < len(refused) < 70
    assert len({verdict.error.split(" ")[1] for verdict in refused}) > 8
    assert median(verdict.source.count("\n") for verdict in verdicts) >= HEADER.count("\n") + 6


def test_a_program_is_the_same_for_the_same_seed() -> None:
    assert program(SEEDS.start) == program(SEEDS.start) != program(SEEDS.start + 1)


def test_the_judge_sees_what_is_missed_false_and_untrue(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = HEADER + "rnn = nn.LSTM(3, 4)\nx = torch.zeros(2, 3)\ny = torch.zeros(5)\nz = x @ x\nrnn(y)\n"
    verdict = judge(wrong)
    assert verdict.line == HEADER.count("\n") + 4
    assert not verdict.missed
    monkeypatch.setattr("fastlstm_lint.signatures.linalg.differ", lambda a, b: False)
    assert judge(wrong).missed
    monkeypatch.setattr("fastlstm_lint.signatures.linalg.differ", lambda a, b: True)
    right = HEADER + "rnn = nn.LSTM(3, 4)\nx = torch.zeros(3, 3)\nz = x @ x\n"
    assert judge(right).false == [("FL701", HEADER.count("\n") + 3)]
    monkeypatch.setattr("fastlstm_lint.signatures.views.memory.viewed", lambda *_: (1, 1))
    scrambled = HEADER + "rnn = nn.LSTM(3, 4)\nx = torch.zeros(3, 4).t().reshape(6, 2)\n"
    assert judge(scrambled).untrue


def test_a_wrong_program_is_made_small() -> None:
    source = HEADER + "rnn = nn.LSTM(3, 4)\na = torch.zeros(2, 3)\nb = torch.zeros(7)\nb = b * 2\nc = a @ a\n"
    small = shrunk(source, lambda verdict: "mat1" in verdict.error)
    assert small == HEADER + "a = torch.zeros(2, 3)\nc = a @ a\n"


SURE = {
    "a factor of a size that is at least 1": "def f(h):\n    return torch.zeros(3 * h, 4) @ torch.zeros(5, h)",
    "sizes that differ by one": "def f(t):\n    return torch.zeros(t + 1).dot(torch.zeros(t))",
    "two factors above 1": "def f(h):\n    return torch.zeros(2 * h) + torch.zeros(3 * h)",
    "the entries of a view": "def f(b):\n    return torch.zeros(b, 4).view(b, 8)",
    "a tensor unpacked by its shape has that many axes": "def f(x):\n    b, t = x.shape\n    x.permute(0, 2, 1)",
}

UNSURE = {
    "a size that may be 1": "def f(h):\n    return torch.zeros(2 * h) + torch.zeros(h)",
    "two sizes of which nothing is known": "def f(a, b):\n    return torch.zeros(a) + torch.zeros(b)",
    "an expand of a size that may be 1": "def f(a):\n    return torch.zeros(a, 3).expand(7, 3)",
    "a view that the sizes may allow": "def f(a, b):\n    return torch.zeros(a, 6).view(b, 9)",
    "strides of sizes that may be 1": "def f(a, b):\n    return torch.zeros(a, b).t().view(a * b)",
    "a number of axes that only a layer suggests": "def f(x):\n    nn.LSTM(5, 6)(x)\n    return x.permute(1, 0)",
    "what arithmetic with an unknown gives": "def f(x):\n    y = torch.zeros(3, 4) * x\n    return y.permute(1, 0)",
    "an unknown number of chunks": "def f(x, n):\n    a, b = x.chunk(n)\n    return a + b",
    "lengths that are not known": "def f(n):\n    pack_padded_sequence(torch.zeros(7, 3, 5), n)",
    "a branch that makes it fit": "def f(x):\n    a = torch.zeros(3) if x else torch.zeros(4)\n    a + torch.zeros(4)",
    "a type that may be another": "def f(x, kind):\n    return torch.zeros(3, 5, dtype=kind) @ torch.zeros(5, 2)",
    "an empty tensor in cat": "torch.cat([torch.zeros(0), torch.zeros(3, 4)], 1)",
}


@pytest.mark.parametrize("text", SURE.values(), ids=SURE)
def test_symbols_that_differ_whatever_they_are_refuse(text: str) -> None:
    assert len([code for code in codes(text) if code.startswith("FL7")]) == 1


@pytest.mark.parametrize("text", UNSURE.values(), ids=UNSURE)
def test_what_is_not_known_never_refuses(text: str) -> None:
    assert not [code for code in codes(text) if code.startswith("FL7")]


def test_one_cause_has_one_finding_and_nothing_follows_from_it() -> None:
    text = "x = torch.zeros(3, 4)\ny = x.view(5, 2)\nz = y @ torch.zeros(7, 8)\nw = torch.cat([z, y], 5)\n"
    assert codes(text) == ["FL704"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("out, _ = nn.LSTM(5, 6, bidirectional=True)(torch.zeros(7, 4, 5))\nnn.Linear(6, 2)(out)\n", "FL301"),
        ("nn.LSTM(5, 6)(torch.zeros(7, 4, 5), (torch.zeros(4, 1, 6), torch.zeros(4, 1, 6)))\n", "FL101"),
        ("nn.GRU(5, 6, 2)(torch.zeros(7, 4, 5), torch.zeros(1, 4, 6))\n", "FL102"),
        ("nn.LSTM(5, 6)(torch.zeros(7, 4, 5), torch.zeros(1, 4, 6))\n", "FL106"),
        ("out, h, c = nn.LSTM(5, 6)(torch.zeros(7, 4, 5))\n", "FL506"),
    ],
)
def test_a_rule_that_names_the_cause_speaks_in_place_of_torch(text: str, code: str) -> None:
    assert [each for each in codes(text) if each[2] in "137" or each == "FL506"] == [code]


def test_a_state_is_judged_although_the_batch_is_as_long_as_the_layers() -> None:
    text = "enc = nn.LSTM(8, 16, num_layers=2, bidirectional=True)\n"
    text += "enc(torch.zeros(7, 4, 8), (torch.zeros(2, 4, 16), torch.zeros(2, 4, 16)))\n"
    (finding,) = findings(text)
    assert finding.code in ("FL102", "FL707")


def test_a_message_has_torchs_sentence_both_shapes_and_where_they_were_made() -> None:
    (finding,) = findings("a = torch.zeros(3, 4)\nb = torch.ones(5, 6)\nc = a @ b\n")
    line = HEADER.count("\n") + 2
    assert finding.message == (
        "torch refuses this: mat1 and mat2 shapes cannot be multiplied (3x4 and 5x6); a is (3, 4); b is (5, 6). "
        f"a is of line {line}, b is of line {line + 1}"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "def two():\n    return 1, 2, 3, 4, 5\n\na, b = two()\n",
            "Python refuses this: too many values to unpack (expected 2); the value is a tuple of 5",
        ),
        (
            "out, state = nn.LSTM(5, 6)(torch.zeros(7, 4, 5))\nstate.detach()\n",
            "Python refuses this: 'tuple' object has no attribute 'detach'; state is the tuple of ",
        ),
    ],
)
def test_what_is_pythons_sentence_is_told_as_pythons(text: str, said: str) -> None:
    assert findings(text)[-1].message.startswith(said)


def test_a_cell_adds_up_one_sample_and_several_states() -> None:
    text = "cell = nn.RNNCell(5, 6)\nx = torch.zeros(5)\n"
    assert codes(text + "torch.zeros(3, 6) + cell(x, torch.zeros(6, 6))\n") == []
    assert codes(text + "torch.zeros(3, 6) + cell(x, torch.zeros(6, 3))\n") == ["FL707"]
    assert codes(text + "torch.zeros(3, 5) + cell(x, torch.zeros(6))\n") == ["FL702"]


@pytest.mark.parametrize(
    "text",
    [
        "x = torch.zeros(3, 4)\nfc = nn.Linear(4, 6)\nfor i in range(2):\n    x = fc(x)\n",
        "rows = torch.zeros(3, 4)\nfor i in range(4):\n    row = rows[i]\n",
        "x = torch.zeros(3, 4)\nfor layer in nn.ModuleList([nn.Linear(4, 5), nn.Linear(6, 7)]):\n    x = layer(x)\n",
    ],
)
def test_a_later_turn_of_a_loop_is_judged(text: str) -> None:
    assert [(finding.code, finding.start.row) for finding in findings(text)] == [
        (finding.code, HEADER.count("\n") + 1 + text.count("\n")) for finding in findings(text)
    ]
    assert len(findings(text)) == 1


SECOND_HAND = (
    ("torch.addmm(torch.zeros(4), x, torch.zeros(3, 4))", "torch.addmm(torch.zeros(5), x, torch.zeros(3, 4))"),
    ("torch.baddbmm(b, b, torch.zeros(2, 4, 4))", "torch.baddbmm(b, b, torch.zeros(3, 4, 4))"),
    ("torch.addbmm(torch.zeros(3, 5), b, torch.zeros(2, 4, 5))", "b.addbmm(b, torch.zeros(2, 4, 5))"),
    ("torch.inner(x, torch.zeros(7, 3))", "torch.inner(x, torch.zeros(7, 2))"),
    ("torch.outer(x[0], x[1])", "torch.outer(x, x[1])"),
    ("torch.tensordot(b, x, dims=([1], [1]))", "torch.tensordot(b, x, dims=([2], [1]))"),
    ("torch.linalg.cross(x, x)", "torch.linalg.cross(b, b)"),
    ("torch.linalg.inv(torch.eye(3))", "torch.linalg.inv(x)"),
    ("torch.vstack((x, x[0]))", "torch.vstack((x, b[0]))"),
    ("torch.dstack((x, x))", "torch.dstack((x, b.mT))"),
    ("torch.column_stack((x, x[:, 0]))", "torch.column_stack((x, x[0]))"),
    ("x.view(size=(3, -1))", "x.view(size=(4, -1))"),
    ("F.linear(x, torch.zeros(5, 3), torch.zeros(5))", "F.linear(x, torch.zeros(5, 3), torch.zeros(4))"),
    ("F.layer_norm(x, (3,), weight=torch.ones(3))", "F.layer_norm(x, (3,), weight=torch.ones(2))"),
    ("nn.GroupNorm(3, 3)(x)", "nn.GroupNorm(3, 6)(x)"),
    ("nn.RMSNorm(3)(x)", "nn.RMSNorm(2)(x)"),
    ("nn.BatchNorm2d(2)(b[None].expand(2, 2, 3, 4))", "nn.BatchNorm2d(2)(b)"),
    ("nn.Conv2d(2, 5, 2)(b)", "nn.Conv2d(3, 5, 2)(b)"),
    ("nn.ConvTranspose1d(3, 5, 2)(b)", "nn.ConvTranspose1d(4, 5, 2)(b)"),
    ("nn.Bilinear(3, 4, 5)(x, torch.zeros(2, 4))", "nn.Bilinear(3, 3, 5)(x, torch.zeros(2, 4))"),
    ("nn.CosineSimilarity()(x, x[:1])", "nn.CosineSimilarity()(x, torch.zeros(4, 3))"),
    ("F.interpolate(b, size=6, mode='linear')", "F.interpolate(b, size=6, mode='bilinear')"),
    ("F.scaled_dot_product_attention(b, b, b)", "F.scaled_dot_product_attention(b, b, b[:, :2])"),
    ("nn.TransformerEncoderLayer(4, 2, 8)(b)", "nn.TransformerEncoderLayer(6, 2, 8)(b)"),
    ("nn.TransformerDecoderLayer(4, 2, 8)(b, b[:1])", "nn.TransformerDecoderLayer(4, 2, 8)(b, b[:, :2])"),
    ("torch.hsplit(b, 3)", "torch.hsplit(b, 2)"),
    ("torch.clamp(x, min=x[:1])", "torch.clamp(x, min=b)"),
    ("torch.lerp(x, x[:1], 0.5)", "torch.lerp(x, b, 0.5)"),
    ("torch.cdist(x, torch.zeros(5, 3))", "torch.cdist(x, torch.zeros(5, 2))"),
)
"""Calls of `x` (2, 3) and `b` (2, 3, 4): one that torch takes, and one that it refuses."""


@pytest.mark.parametrize(("right", "wrong"), SECOND_HAND)
def test_laws_of_functions_and_modules_beside_the_usual_ones(right: str, wrong: str) -> None:
    begin = HEADER + "rnn = nn.LSTM(3, 4)\nx = torch.ones(2, 3)\nb = torch.ones(2, 3, 4)\n"
    verdict = judge(f"{begin}y = {right}\n")
    assert (verdict.line, verdict.found, verdict.untrue) == (None, frozenset(), ())
    verdict = judge(f"{begin}y = {wrong}\n")
    assert verdict.line == HEADER.count("\n") + 4
    assert not verdict.missed


@pytest.mark.parametrize(
    "change", ["x.unsqueeze_(0)", "y = x.t_()", "x.resize_(4, 1)", "torch.mul(z, z, out=x)", "x.data = z", "x @= x.mT"]
)
def test_what_is_changed_in_place_is_changed_by_all_its_names(change: str) -> None:
    verdict = judge(HEADER + f"rnn = nn.LSTM(3, 4)\nx = torch.ones(2, 3)\nw = x\nz = torch.ones(5)\n{change}\n")
    assert (verdict.line, verdict.found, verdict.untrue) == (None, frozenset(), ())
