"""Models whose samples or steps are known to be independent, or not, and what is said of each."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import fastlstm
from fastlstm.testing import assert_batch_independent, assert_causal, dependence

B, T, I, H = 4, 7, 5, 6


@pytest.fixture(autouse=True)
def fixed_weights() -> None:
    torch.manual_seed(1)


def data(*shape: int) -> torch.Tensor:
    return torch.randn(*(shape or (B, T, I)), generator=torch.Generator().manual_seed(2))


class Around(nn.Module):
    """A recurrent layer, other modules, and what is done with what the layer gives."""

    def __init__(self, body: Callable[..., Any], layer: nn.Module | None = None, **parts: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.rnn = layer or nn.LSTM(I, H, bidirectional=True, batch_first=True)
        self.parts = nn.ModuleDict(parts)

    def forward(self, x: torch.Tensor) -> Any:
        output, state = self.rnn(x)
        h_n = state[0] if isinstance(state, tuple) else state
        return self.body(output, h_n, self.parts)


INDEPENDENT: dict[str, Callable[[], Any]] = {
    "h_n transposed": lambda: Around(lambda out, h, _: h.transpose(0, 1).reshape(B, -1)),
    "dropout in training mode": lambda: Around(lambda out, h, m: m["drop"](out), drop=nn.Dropout(0.5)),
    "dropout between layers": lambda: nn.LSTM(I, H, 2, dropout=0.5, batch_first=True),
    "batch norm in evaluation mode": lambda: Around(
        lambda out, h, m: m["norm"](out.transpose(1, 2)), norm=nn.BatchNorm1d(2 * H)
    ).eval(),
    "layer norm": lambda: Around(lambda out, h, m: m["norm"](out), norm=nn.LayerNorm(2 * H)),
    "softmax over features": lambda: Around(lambda out, h, m: out.softmax(-1)),
    "an input changed in place": lambda: lambda x: x.mul_(2).sum(1),
    "argmax": lambda: Around(lambda out, h, m: out.argmax(-1)),
    "a constant": lambda: lambda x: torch.ones(B, 3),
    "no gradient": lambda: torch.no_grad()(lambda x: x.sum(1)),
    "rounding cancels": lambda: lambda x: x + x.mean(0) - x.mean(0),
    "half of the parameters frozen": lambda: Around(lambda out, h, m: out).requires_grad_(False),
    "a dict with a tensor first": lambda: lambda x: {"y": x.sum(1), "all": x.sum()},
}

DEPENDENT: dict[str, tuple[Callable[[], Any], str]] = {
    "view of h_n": (lambda: Around(lambda out, h, _: h.view(B, -1)), "FL204 and FL205"),
    "view swaps axes": (lambda: lambda x: x.reshape(T, B, I).transpose(0, 1), "FL204 and FL205"),
    "batch_first forgotten": (lambda: nn.LSTM(I, H), "batch_first=True is missing"),
    "batch_first forgotten, both directions": (lambda: nn.GRU(I, H, bidirectional=True), "FL203"),
    "batch norm in training mode": (
        lambda: Around(lambda out, h, m: m["norm"](out[:, 0]), norm=nn.BatchNorm1d(2 * H)),
        "call model.eval() first".capitalize(),
    ),
    "softmax over the batch": (lambda: Around(lambda out, h, _: out[:, 0].softmax(0)), "FL603"),
    "detached": (lambda: lambda x: x.sum(1) - x.detach().mean(0).sum(0), "batch axis"),
    "a rank in the batch": (lambda: lambda x: x[:, 0].argsort(0), ""),
    "the last sample only": (lambda: lambda x: x[-1:].expand(B, T, I), "FL201"),
    "a weak one": (lambda: lambda x: x + 1e-5 * x.flip(0), ""),
}


@pytest.mark.parametrize("name", INDEPENDENT)
def test_independent_samples_pass(name: str) -> None:
    assert_batch_independent(INDEPENDENT[name](), data())


@pytest.mark.parametrize("name", DEPENDENT)
def test_dependent_samples_fail_with_a_pair_and_a_probable_slip(name: str) -> None:
    make, slip = DEPENDENT[name]
    with pytest.raises(AssertionError, match=r"sample \d's output depends on sample \d's input \(") as raised:
        assert_batch_independent(make(), data())
    assert slip in str(raised.value)


def test_the_matrix_is_that_of_the_view() -> None:
    with pytest.raises(AssertionError) as raised:
        assert_batch_independent(Around(lambda out, h, _: h.view(B, -1)), data())
    drawn = [line.split()[3:] for line in str(raised.value).splitlines() if line.startswith("output")]
    # h_n is (2, B, H): its rows l0s0 l0s1 l0s2 l0s3 l1s0 ..., cut into B pieces of two.
    assert drawn == [list("##.."), list("..##"), list("##.."), list("..##")]


def test_the_strongest_pair_is_named_with_its_gradient() -> None:
    wanted = r"sample 2's output depends on sample 0's input \(gradient \S+; 2 such pairs\)"
    with pytest.raises(AssertionError, match=wanted):
        assert_batch_independent(_mixed, data())


def _mixed(x: torch.Tensor) -> torch.Tensor:
    weight = torch.tensor([0.0, 1.0, 100.0, 0.0]).view(B, 1, 1)
    return x + weight * x[:1]


def test_a_batch_that_is_gone_is_said_so() -> None:
    with pytest.raises(AssertionError, match="the batch has 4 samples, and the output 7 entries"):
        assert_batch_independent(Around(lambda out, h, _: out[-1]), data())


def test_axes_and_outputs_are_chosen() -> None:
    layer = nn.LSTM(I, H, 2)
    x = data(T, B, I)
    assert_batch_independent(layer, x, dim=1, out_dim=1)
    assert_batch_independent(layer, x, dim=1, out_dim=1, output=2)
    assert_batch_independent(layer, x, dim=-2, out_dim=-2, args=((torch.zeros(2, B, H), torch.zeros(2, B, H)),))
    with pytest.raises(AssertionError):
        assert_batch_independent(layer, x, dim=0, out_dim=0)
    for options in ({"output": 3}, {"dim": 3}, {"out_dim": 5}):
        with pytest.raises(ValueError, match=r"no axis|no output"):
            assert_batch_independent(layer, x, **{"dim": 1, "out_dim": 1, **options})


def test_token_ids_are_replaced() -> None:
    tokens = torch.randint(0, 9, (B, T), generator=torch.Generator().manual_seed(3))
    embed = nn.Embedding(9, I)
    assert_batch_independent(nn.Sequential(embed, nn.LSTM(I, H, batch_first=True)), tokens)
    with pytest.raises(AssertionError, match=r"the output changes by .* when that input is replaced"):
        assert_batch_independent(nn.Sequential(embed, nn.LSTM(I, H)), tokens)
    with pytest.raises(ValueError, match="all ids of the input are equal"):
        assert_batch_independent(embed, torch.zeros(B, T, dtype=torch.long))
    assert_batch_independent(embed, torch.zeros(B, T, dtype=torch.long), high=9)


class Remembers(nn.Module):
    """A model that gives another result for each call."""

    def __init__(self, body: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.body, self.state = body, 0.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.state += 1.0
        return self.body(x) + self.state


def test_a_model_that_remembers_is_judged_by_its_gradient() -> None:
    alone = Remembers(lambda x: x.sum(1))
    assert_batch_independent(alone, data())
    assert "other results" in dependence(alone, data()).notes[0]
    with pytest.raises(ValueError, match="nothing can be said"):
        assert_batch_independent(alone, torch.randint(0, 9, (B, T)))
    with pytest.raises(AssertionError, match="gradient"):
        assert_batch_independent(Remembers(lambda x: x.sum(1) + x.mean(0)[0]), data())


def test_a_dependence_that_a_plain_sum_of_the_output_hides_is_seen() -> None:
    def opposite(x: torch.Tensor) -> torch.Tensor:
        mixed = x[:, 0] * x.mean((0, 1))
        return torch.cat([mixed, -mixed], 1)

    with pytest.raises(AssertionError, match="gradient"):
        assert_batch_independent(Remembers(opposite), data())


def test_random_numbers_are_the_same_in_every_run() -> None:
    first = dependence(nn.Dropout(0.5), data())
    torch.rand(3)
    assert first.notes == ()
    assert np.array_equal(first.gradient, dependence(nn.Dropout(0.5), data()).gradient)  # type: ignore[arg-type]


def test_the_model_and_the_random_numbers_are_left_as_they_were() -> None:
    model = Around(lambda out, h, m: m["norm"](m["drop"](out[:, 0])), norm=nn.BatchNorm1d(2 * H), drop=nn.Dropout())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    random = torch.get_rng_state()
    x = data()
    with pytest.raises(AssertionError):
        assert_batch_independent(model, x)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert torch.equal(random, torch.get_rng_state())
    assert model.training
    assert all(parameter.grad is None for parameter in model.parameters())
    assert x.grad is None
    assert torch.equal(x, data())


def test_what_cannot_be_judged_is_refused() -> None:
    with pytest.raises(ValueError, match="NaN or infinity in entry 2"):
        assert_batch_independent(lambda x: x.sum(1) / torch.tensor([1.0, 1.0, 0.0, 1.0]).view(B, 1), data())
    with pytest.raises(ValueError, match="packed sequence"):
        assert_batch_independent(lambda x: nn.utils.rnn.pack_padded_sequence(x, [T] * B, batch_first=True), data())
    with pytest.raises(ValueError, match="at least 2"):
        assert_batch_independent(lambda x: x, data(1, T, I))
    with pytest.raises(ValueError, match="gives no tensor but str"):
        assert_batch_independent(lambda x: "x", data())
    with pytest.raises(TypeError, match="one tensor or array, got list"):
        assert_batch_independent(lambda x: x, [1])
    with pytest.raises(ValueError, match="for other values"):
        assert_batch_independent(lambda x: x[x[:, 0, 0] >= data()[:, 0, 0].min() - 1e-3], data())


def test_a_gradient_that_is_nan_is_decided_by_substitution() -> None:
    def masked(x: torch.Tensor) -> torch.Tensor:
        other = torch.where(x == x, x, x.flip(0).sqrt())  # the unused branch has a NaN gradient
        return other.sum(1)

    seen = dependence(masked, data())
    assert np.isnan(seen.gradient).any()  # type: ignore[arg-type]
    assert_batch_independent(masked, data())


CAUSAL: dict[str, Callable[[], Any]] = {
    "one direction": lambda: nn.GRU(I, H, 2, batch_first=True),
    "masked attention": lambda: lambda x: nn.functional.scaled_dot_product_attention(x, x, x, is_causal=True),
    "cumulative sum": lambda: lambda x: x.cumsum(1),
    "a convolution padded on the left": lambda: (
        lambda x: nn.functional.conv1d(nn.functional.pad(x.mT, (2, 0)), torch.ones(3, I, 3)).mT
    ),
}

NOT_CAUSAL: dict[str, tuple[Callable[[], Any], str]] = {
    "both directions": (lambda: nn.LSTM(I, H, bidirectional=True, batch_first=True), "LSTM is bidirectional"),
    "attention": (lambda: lambda x: nn.functional.scaled_dot_product_attention(x, x, x), "attention without a mask"),
    "mean over time": (lambda: lambda x: x - x.mean(1, keepdim=True), "mean, softmax or norm over time"),
    "a centred convolution": (
        lambda: lambda x: nn.functional.conv1d(x.mT, torch.ones(3, I, 3), padding=1).mT, "padding looks ahead",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CAUSAL)
def test_causal_models_pass(name: str) -> None:
    assert_causal(CAUSAL[name](), data())


@pytest.mark.parametrize("name", NOT_CAUSAL)
def test_models_that_look_ahead_fail_with_a_probable_slip(name: str) -> None:
    make, slip = NOT_CAUSAL[name]
    with pytest.raises(AssertionError, match=r"step \d's output depends on step \d's input \(") as raised:
        assert_causal(make(), data())
    assert slip in str(raised.value)


def test_a_look_ahead_may_be_allowed() -> None:
    def ahead(x: torch.Tensor) -> torch.Tensor:
        return nn.functional.conv1d(x.mT, torch.ones(3, I, 3), padding=1).mT

    assert_causal(ahead, data(), lookahead=1)
    with pytest.raises(AssertionError):
        assert_causal(lambda x: ahead(ahead(x[..., :I]).repeat(1, 1, 2)[..., :I]), data(), lookahead=1)


def test_a_long_sequence_is_sampled_with_its_ends() -> None:
    seen = dependence(nn.GRU(I, H, batch_first=True), data(2, 500, I), dim=1, out_dim=1)
    assert (len(seen.outputs), seen.outputs[0], seen.outputs[-1]) == (32, 0, 499)
    with pytest.raises(AssertionError, match="no output belongs to each step"):
        assert_causal(lambda x: x[:, ::2], data())


@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_layers_on_arrays(kind: str, mode: str) -> None:
    x = data().numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layer = getattr(fastlstm, kind)(I, H, num_layers=2, dropout=0.5, bidirectional=True, batch_first=True)
    getattr(layer, mode)()
    assert_batch_independent(layer, x)
    assert (dependence(layer, x).gradient is None) == (mode == "eval")
    with pytest.raises(AssertionError, match=f"{kind} is bidirectional"):
        assert_causal(layer, x)
    assert not any("other results" in note for note in dependence(layer, x).notes)  # dropout draws the same mask
    assert layer.grad == {}
    sequence_first = getattr(fastlstm, kind)(I, H)
    with pytest.raises(AssertionError, match="batch_first=True is missing"):
        assert_batch_independent(sequence_first, x)
    assert_causal(sequence_first, x, dim=0, out_dim=0)


def test_other_functions_of_arrays_are_judged_by_substitution() -> None:
    x = data().numpy()
    assert_batch_independent(lambda a: a.sum(1), x)
    assert_batch_independent(fastlstm.GRUCell(I, H), x[:, 0])
    assert_batch_independent(fastlstm.Embedding(9, I), np.arange(8).reshape(4, 2))
    with pytest.raises(AssertionError, match="over the batch axis"):
        assert_batch_independent(lambda a: a - a.mean(0), x)
    with pytest.raises(ValueError, match="entry 1"):
        assert_batch_independent(lambda a: a.sum(1) / np.array([[1.0], [np.nan], [1.0], [1.0]]), x)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_other_types(dtype: torch.dtype) -> None:
    weight = data(I, 3).to(dtype)
    assert_batch_independent(lambda x: x @ weight, data().to(dtype))
    with pytest.raises(AssertionError):
        assert_batch_independent(lambda x: x.flip(0) @ weight, data().to(dtype))
