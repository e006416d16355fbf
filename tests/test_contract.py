"""The contract says what torch itself does: every shape, for every kind and option, with plain and symbolic sizes."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from fastlstm_lint import contract
from fastlstm_lint.contract import Cell, Layer, letters, sizes

T, B, I, H, P = 5, 3, 4, 6, 2  # all different, so that no two axes can be mistaken for each other


def layers() -> Iterator[Layer]:
    for kind, num_layers, bias, batch_first, bidirectional in itertools.product(
        contract.GATES, (1, 2, 3), (True, False), (True, False), (True, False)
    ):
        for proj_size in (0, P) if kind == "LSTM" else (0,):
            yield Layer(kind, I, H, num_layers, bias, batch_first, bidirectional, proj_size)


LAYERS = list(layers())


def torch_layer(layer: Layer) -> torch.nn.RNNBase:
    options = dataclasses.asdict(layer)
    kind = options.pop("kind")
    if kind != "LSTM":
        del options["proj_size"]
    if kind != "RNN":
        del options["nonlinearity"]
    return getattr(torch.nn, kind)(**options)  # type: ignore[no-any-return]


def name(layer: Layer) -> str:
    flags = [flag for flag in ("bias", "batch_first", "bidirectional") if getattr(layer, flag)]
    return "-".join([layer.kind, f"L{layer.num_layers}", *flags, *(["proj"] if layer.proj_size else [])])


def as_tuple(state: Any) -> tuple[torch.Tensor, ...]:
    return state if isinstance(state, tuple) else (state,)


def disagreements(layer: Layer, module: torch.nn.RNNBase, batch: int | None) -> list[str]:
    """Each place in which the contract's shape differs from the one torch shows."""
    found = []

    def same(what: str, expected: tuple[Any, ...], shape: tuple[int, ...]) -> None:
        if tuple(expected) != tuple(shape):
            found.append(f"{what}: the contract says {expected}, torch has {tuple(shape)}")

    told = layer.parameters()
    shown = {key: tuple(value.shape) for key, value in module.named_parameters()}
    if list(told) != list(shown):
        found.append(f"parameter names: {list(told)} and {list(shown)}")
    for key in told.keys() & shown.keys():
        same(key, sizes(told[key]), shown[key])
    count = sum(value.numel() for value in module.parameters())
    if layer.parameter_count() != count:
        found.append(f"parameter count: {layer.parameter_count()} and {count}")
    x = torch.randn(sizes(layer.input(T, batch)))
    try:
        initial = tuple(torch.zeros(sizes(shape)) for shape in layer.states(batch).values())
        output, final = module(x, initial if layer.kind == "LSTM" else initial[0])
    except (RuntimeError, ValueError) as error:
        return [*found, f"torch refuses: {error}"]
    same("output", sizes(layer.output(T, batch)), output.shape)
    for state, value in zip(layer.states(batch).values(), as_tuple(final), strict=True):
        same("state", sizes(state), value.shape)
    return found


@pytest.mark.parametrize("batch", [B, None], ids=["batched", "unbatched"])
@pytest.mark.parametrize("layer", LAYERS, ids=name)
def test_layer_shapes_are_torchs(layer: Layer, batch: int | None) -> None:
    assert disagreements(layer, torch_layer(layer), batch) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"num_layers": 3}, "parameter names"),
        ({"hidden_size": H + 1}, "weight_ih_l0"),
        ({"bias": False}, "parameter count"),
        ({"bidirectional": False}, "parameter names"),
        ({"proj_size": 0}, "weight_hh_l0"),
        ({"batch_first": False}, "torch refuses"),
        ({"kind": "GRU"}, "weight_ih_l0"),
    ],
    ids=lambda value: str(value),
)
def test_a_wrong_contract_is_found_out(change: dict[str, Any], expected: str) -> None:
    """The test above can fail: each configuration differs from torch's in one option."""
    right = Layer("LSTM", I, H, 2, batch_first=True, bidirectional=True, proj_size=P)
    module = torch_layer(right)
    assert disagreements(right, module, B) == []
    wrong = dataclasses.replace(right, **change)
    assert any(line.startswith(expected) for line in disagreements(wrong, module, B))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("batch", [B, None], ids=["batched", "unbatched"])
@pytest.mark.parametrize("kind", contract.GATES)
def test_cell_shapes_are_torchs(kind: str, batch: int | None, bias: bool) -> None:
    cell = Cell(kind, I, H, bias)
    module = getattr(torch.nn, f"{kind}Cell")(I, H, bias)
    shown = {key: tuple(value.shape) for key, value in module.named_parameters()}
    assert {key: sizes(shape) for key, shape in cell.parameters().items()} == shown
    assert list(cell.parameters()) == list(shown)
    initial = tuple(torch.zeros(sizes(cell.state(state, batch))) for state in cell.state_names)
    final = module(torch.randn(sizes(cell.input(batch))), initial if kind == "LSTM" else initial[0])
    assert [tuple(value.shape) for value in as_tuple(final)] == [
        sizes(cell.state(state, batch)) for state in cell.state_names
    ]


@pytest.mark.parametrize("kind", contract.GATES)
def test_gate_order_is_torchs(kind: str) -> None:
    """A bias on one gate alone moves the state the way that gate's equation says, and no other gate's."""
    module = getattr(torch.nn, f"{kind}Cell")(1, 1)
    gates = contract.GATES[kind]
    for parameter in module.parameters():
        parameter.data.zero_()
    big = 40.0  # sigmoid(40) and tanh(40) are 1 in float32
    one = torch.ones(1, 1)
    results = {}
    for row, gate in enumerate(gates):
        module.bias_ih.data.zero_()
        module.bias_ih.data[row] = big
        state = module(torch.zeros(1, 1), (one, one) if kind == "LSTM" else one)
        results[gate] = tuple(round(value.item(), 4) for value in as_tuple(state))
    half, tanh = 0.5, lambda v: torch.tanh(torch.tensor(v)).item()
    expected = {
        "LSTM": {
            "i": (half * tanh(half), half),  # c = f*1 + 1*tanh(0)
            "f": (half * tanh(1.0), 1.0),
            "g": (half * tanh(1.0), 1.0),  # c = .5*1 + .5*1
            "o": (tanh(half), half),
        },
        "GRU": {"r": (half,), "z": (1.0,), "n": (1.0,)},  # h = (1-z)*n + z*h
        "RNN": {"h": (1.0,)},
    }[kind]
    assert set(results) == set(expected)
    for gate, values in expected.items():
        assert results[gate] == pytest.approx(values, abs=1e-4), gate


class Symbol:
    """A size with `*` and `+` only, as the linter's: anything else the contract tried with it would raise."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __mul__(self, other: object) -> Symbol:
        return Symbol(f"({self}*{other})")

    def __rmul__(self, other: object) -> Symbol:
        return Symbol(f"({other}*{self})")

    def __add__(self, other: object) -> Symbol:
        return Symbol(f"({self}+{other})")

    def __radd__(self, other: object) -> Symbol:
        return Symbol(f"({other}+{self})")

    def __str__(self) -> str:
        return self.text

    def __bool__(self) -> bool:
        raise TypeError("a symbolic size is neither true nor false")

    def __eq__(self, other: object) -> bool:
        raise TypeError("the contract may not compare sizes")

    __hash__ = None  # type: ignore[assignment]


VALUES = {"T": T, "B": B, "I": I, "H": H, "P": P}


def value(size: Any) -> int:
    """A symbolic size with the letters' values put in."""
    return int(eval(str(size), {"__builtins__": {}}, VALUES))  # text that this file itself composed


@pytest.mark.parametrize("layer", LAYERS, ids=name)
def test_symbolic_sizes_come_out_as_the_plain_ones(layer: Layer) -> None:
    symbols = {letter: Symbol(letter) for letter in VALUES}
    symbolic = dataclasses.replace(
        layer,
        input_size=symbols["I"],
        hidden_size=symbols["H"],
        proj_size=symbols["P"] if layer.proj_size else 0,
    )

    def values(shape: contract.Shape) -> tuple[int, ...]:
        return tuple(value(size) for size in sizes(shape))

    t, b = symbols["T"], symbols["B"]
    assert values(symbolic.input(t, b)) == sizes(layer.input(T, B))
    assert values(symbolic.output(t, b)) == sizes(layer.output(T, B))
    for state in layer.state_names:
        assert values(symbolic.state(state, b)) == sizes(layer.state(state, B))
    for key, shape in symbolic.parameters().items():
        assert values(shape) == sizes(layer.parameters()[key])
    assert value(symbolic.parameter_count()) == layer.parameter_count()


@pytest.mark.parametrize("layer", LAYERS, ids=name)
def test_letters_name_the_sizes(layer: Layer) -> None:
    """Beside each size stand its letters; with the letters' values put in they give that size."""
    known = VALUES | {"L": layer.num_layers, "D": layer.directions, "G": len(layer.gates)}
    shapes = [layer.input(T, B), layer.output(T, B), *layer.states(B).values(), *layer.parameters().values()]
    for axis in itertools.chain.from_iterable(shapes):
        assert eval(axis.letters, {"__builtins__": {}}, known) == axis.size, str(axis)


def test_axis_meanings() -> None:
    layer = Layer("LSTM", I, H, 2, batch_first=True, bidirectional=True)
    assert [axis.meaning for axis in layer.output(T, B)] == [("batch",), ("time",), ("direction", "feature")]
    assert [axis.meaning for axis in layer.state("h", B)] == [("layer", "direction"), ("batch",), ("feature",)]
    assert letters(layer.output(T, B)) == "(B, T, D*H)"
    assert letters(layer.state("h", None)) == "(L*D, H)"
    assert letters(layer.parameters()["bias_ih_l0"]) == "(G*H,)"
    assert str(layer.state("h", B)[0]) == "layer*direction L*D=4"


def test_the_merged_axes_are_ordered_as_torch_orders_them() -> None:
    """`("layer", "direction")` means layer-major, `("direction", "feature")` forward first: read off torch's values."""
    layer = Layer("GRU", I, H, 2, bidirectional=True)
    module = torch_layer(layer)
    with torch.no_grad():
        output, h_n = module(torch.randn(T, B, I))
    last_forward, last_backward = output[-1, :, :H], output[0, :, H:]
    assert layer.state("h", B)[0].meaning == ("layer", "direction")
    torch.testing.assert_close(h_n.view(2, 2, B, H)[1, 0], last_forward)
    torch.testing.assert_close(h_n.view(2, 2, B, H)[1, 1], last_backward)
