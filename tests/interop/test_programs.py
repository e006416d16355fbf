"""The programs of docs/examples on torch's modules: built from fastlstm.torch, and built from torch.nn and accelerated.

Each is held against the same program on torch.nn as it is.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax, one_hot, softmax
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

import fastlstm
import fastlstm.torch
from fastlstm.torch.swap import THEIRS

NAMES = ("LSTM", "GRU", "RNN")


@pytest.fixture(params=["built", "accelerated"])
def make(request: pytest.FixtureRequest) -> Any:
    """(ours, torch's) of a function that builds a module from a namespace with the recurrent classes."""

    def build(model: Any) -> tuple[nn.Module, nn.Module]:
        torch.manual_seed(0)
        theirs = model(nn)
        torch.manual_seed(0)
        if request.param == "built":
            ours = model(SimpleNamespace(**{**vars(nn), **{cls.__name__: cls for cls in THEIRS}}))
        else:
            ours = model(nn)
            assert len(fastlstm.torch.accelerate(ours).replaced) == 1
        assert [type(one) for one in ours.modules() if type(one) in THEIRS], "nothing of ours in the model"
        assert ours.state_dict().keys() == theirs.state_dict().keys()
        return ours, theirs

    return build


def close(mine: Any, due: Any) -> None:
    torch.testing.assert_close(mine, due, rtol=1e-4, atol=1e-5)


def test_p1_what_is_in_h_n(make: Any) -> None:
    ours, theirs = make(lambda nn: nn.LSTM(5, 6, 2))
    x, state = torch.randn(1, 3, 5), (torch.randn(2, 3, 6), torch.randn(2, 3, 6))
    output, (h_n, c_n) = ours(x, state)
    assert (output.shape, h_n.shape, c_n.shape) == ((1, 3, 6), (2, 3, 6), (2, 3, 6))
    assert torch.equal(h_n[-1], output[-1])
    assert not torch.isclose(h_n[0], output).any()
    close((output, (h_n, c_n)), theirs(x, state))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_p2_one_element_at_a_time(make: Any, name: str, bidirectional: bool) -> None:
    ours, theirs = make(lambda nn: getattr(nn, name)(3, 3, bidirectional=bidirectional))
    inputs = torch.randn(5, 1, 3)
    output, final = ours(inputs)
    close((output, final), theirs(inputs))
    h_n = final[0] if name == "LSTM" else final
    assert h_n.shape == (2 if bidirectional else 1, 1, 3)
    if not bidirectional:
        for grad in (True, False):
            state = None
            with torch.set_grad_enabled(grad):
                for t, one in enumerate(inputs):
                    stepped, state = ours(one.view(1, 1, 3), state)
                    close(stepped[0], output[t])
            close(state, final)
        assert torch.equal(output[-1:], h_n)


def test_p3_constructor_tour(make: Any) -> None:
    ours, theirs = make(lambda nn: nn.LSTM(28, 4, batch_first=True))
    x = torch.randn(10, 3, 28)
    assert (ours.weight_ih_l0.shape, ours.weight_hh_l0.shape) == ((16, 28), (16, 4))
    output, (h_n, c_n) = ours(x)
    assert (output.shape, h_n.shape, c_n.shape) == ((10, 3, 4), (1, 10, 4), (1, 10, 4))
    close((output, (h_n, c_n)), theirs(x))
    close(ours(x, (torch.zeros(1, 10, 4), torch.zeros(1, 10, 4))), (output, (h_n, c_n)))

    ours, theirs = make(lambda nn: nn.LSTM(28, 4, 2, batch_first=True, bidirectional=True, dropout=0.5).eval())
    output, (h_n, c_n) = ours(x)
    assert (output.shape, h_n.shape, c_n.shape) == ((10, 3, 8), (4, 10, 4), (4, 10, 4))
    directions = output.view(10, 3, 2, 4)
    assert torch.equal(directions[:, -1, 0], h_n[2])
    assert torch.equal(directions[:, 0, 1], h_n[3])
    packed = pack_padded_sequence(x, torch.tensor([3] * 4 + [2] * 3 + [1] * 3), batch_first=True)
    found, due = ours(packed)[0], theirs(packed)[0]
    assert isinstance(found, PackedSequence)
    close(found.data, due.data)


def test_p3_dropout_acts_between_layers_only(make: Any) -> None:
    ours, _ = make(lambda nn: nn.LSTM(4, 8, 2, dropout=0.999999))
    output, (h_n, _) = ours(torch.randn(3, 5, 4))
    assert (h_n != 0).all()  # of the last layer too: nothing is dropped after it
    assert torch.isclose(output.std(1), torch.zeros(()), atol=1e-6).all()  # and it saw the same, zeros, in each sample


def test_p4_from_scratch(make: Any) -> None:
    V, H, T, B = 7, 5, 4, 2
    ours, _ = make(lambda nn: nn.LSTM(V, H))
    gates = {g: [torch.randn(H, V), torch.randn(H, H), torch.randn(H)] for g in "ifgo"}  # 12 separate parameters
    with torch.no_grad():
        for place, parameter in enumerate((ours.weight_ih_l0, ours.weight_hh_l0, ours.bias_ih_l0)):
            parameter.copy_(torch.cat([gates[g][place] for g in "ifgo"]))
        ours.bias_hh_l0.zero_()
    x = one_hot(torch.randint(V, (T, B)), V).float()
    h, c = torch.zeros(B, H), torch.zeros(B, H)
    outputs = []
    for x_t in x:
        i, f, g, o = (x_t @ W_x.T + h @ W_h.T + b for W_x, W_h, b in gates.values())
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        outputs.append(h)
    close(ours(x), (torch.stack(outputs), (h[None], c[None])))


class CharacterModel(nn.Module):
    def __init__(self, layer: nn.RNNBase, V: int) -> None:
        super().__init__()
        self.rnn, self.V = layer, V
        width = layer.hidden_size * (2 if layer.bidirectional else 1)
        self.linear = nn.Linear(width, V)

    def forward(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        output, state = self.rnn(one_hot(tokens.T, self.V).float(), state)
        return self.linear(output.reshape(-1, output.shape[-1])), state

    def begin_state(self, B: int) -> Any:
        zeros = torch.zeros(self.rnn.num_layers * (2 if self.rnn.bidirectional else 1), B, self.rnn.hidden_size)
        return (zeros, zeros.clone()) if isinstance(self.rnn, nn.LSTM) else zeros


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_p4_character_model(make: Any, name: str, bidirectional: bool) -> None:
    V, H, B, T = 11, 16, 4, 6
    tokens = torch.arange(B * 5 * T + 1) * 3 % V  # the next token follows from the last
    inputs, targets = tokens[:-1].view(B, -1), tokens[1:].view(B, -1)
    losses = []
    for model in make(lambda nn: CharacterModel(getattr(nn, name)(V, H, bidirectional=bidirectional), V)):
        optimizer, own, state = torch.optim.Adam(model.parameters(), 0.02), [], model.begin_state(B)
        for _ in range(8):
            for start in range(0, inputs.shape[1], T):
                chunk = slice(start, start + T)
                logits, state = model(inputs[:, chunk], state)
                state = tuple(part.detach() for part in state) if name == "LSTM" else state.detach()
                loss = nn.functional.cross_entropy(logits, targets[:, chunk].T.reshape(-1))
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                own.append(loss.item())
        assert own[-1] < own[0] / 2
        losses.append(torch.tensor(own))
    torch.testing.assert_close(*losses, rtol=1e-2, atol=1e-3)  # 40 steps of Adam widen the rounding


def test_p5_sequence_classifier(make: Any) -> None:
    ours, theirs = make(lambda nn: nn.LSTM(3, 5, 2, batch_first=True))
    head, x, zeros = nn.Linear(5, 2), torch.randn(10, 5, 3), torch.zeros(2, 10, 5)
    scores = [softmax(head(layer(x, (zeros, zeros))[0][:, -1]), 1) for layer in (ours, theirs)]
    assert scores[0].shape == (10, 2)
    close(scores[0].sum(1), torch.ones(10))
    close(*scores)


class Traffic(nn.Module):
    def __init__(self, namespace: Any, n: int = 16, sensors: int = 307) -> None:
        super().__init__()
        self.n = n
        self.lstm = namespace.LSTM(sensors, n, batch_first=True)
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Sequential(nn.Linear(24 * n, 256), nn.ReLU(), nn.Linear(256, sensors))

    def forward(self, x: Tensor) -> Tensor:
        output, _ = self.lstm(x)
        return self.head(self.dropout(output).reshape(len(x), 24 * self.n))


def test_p6_traffic_forecast(make: Any) -> None:
    models, x = make(Traffic), torch.randn(4, 24, 307)
    gradients = []
    for model in models:
        assert not torch.equal(model(x), model(x))  # the dropout
        # torch draws a mask in the order of memory, and its own batch-first output is a transposed view: no seed gives
        # both models the same mask.
        model.eval()(x).square().mean().backward()
        gradients.append({name: parameter.grad for name, parameter in model.named_parameters()})
    close(*gradients)
    assert models[0](x).shape == (4, 307)


class Tagger(nn.Module):
    def __init__(self, namespace: Any) -> None:
        super().__init__()
        self.embedding, self.lstm = nn.Embedding(9, 6), namespace.LSTM(6, 6)
        self.hidden2tag = nn.Linear(6, 3)

    def forward(self, sentence: Tensor) -> Tensor:
        output, _ = self.lstm(self.embedding(sentence).view(len(sentence), 1, -1))
        return log_softmax(self.hidden2tag(output.view(len(sentence), -1)), 1)


def test_p7_tagger(make: Any) -> None:
    ours, theirs = make(Tagger)
    sentence = torch.tensor([0, 3, 8, 1, 4])
    assert ours(sentence).shape == (5, 3)
    close(ours(sentence), theirs(sentence))


def test_p7_series(make: Any) -> None:
    ours, theirs = make(lambda nn: nn.LSTM(1, 8, batch_first=True))
    series = torch.sin(torch.arange(30) / 3.0)
    windows = series.unfold(0, 6, 1)[..., None]  # strided: each window begins one number after the one before
    assert not windows.is_contiguous()
    close(ours(windows), theirs(windows))


@pytest.mark.parametrize("name", NAMES)
def test_p7_parameters_and_every_step(make: Any, name: str) -> None:
    I, H, gates = 4, 8, {"LSTM": 4, "GRU": 3, "RNN": 1}[name]
    ours, theirs = make(lambda nn: getattr(nn, name)(I, H))
    assert sum(parameter.numel() for parameter in ours.parameters()) == gates * (H * (I + H) + 2 * H)
    x = torch.randn(5, 2, I)
    output, _ = ours(x)
    assert output.shape == (5, 2, H)
    close(output, theirs(x)[0])
