"""`accelerate(model, subclasses=True)`: users' subclasses whose forward calls torch's."""

import copy
import pickle

import pytest
import torch
from torch import nn

import fastlstm.torch


class Skips(nn.LSTM):
    """As pytorch-forecasting's: samples of length 0 are taken out, then torch's own forward."""

    def forward(self, x, hx=None, lengths=None):
        if lengths is None:
            return super().forward(x, hx)
        kept = lengths > 0
        output, state = super().forward(x[:, kept], hx)
        full = output.new_zeros(output.shape[0], x.shape[1], output.shape[2])
        full[:, kept] = output
        return full, state


class Adds(nn.GRUCell):
    def forward(self, input, hx=None):
        return super().forward(input, hx) + 1


class Calls(nn.GRU):
    """Calls torch's class by its name, past whatever stands between."""

    def forward(self, input, hx=None):
        return nn.GRU.forward(self, input, hx)


class Asks(nn.LSTM):
    def forward(self, x, mask):
        return super().forward(x * mask)


class Draws(nn.LSTM):
    def forward(self, x, hx=None):
        return super().forward(x + torch.rand(()), hx)


class Plain(nn.LSTM):
    """No forward of its own."""


def accelerated(module):
    return fastlstm.torch.accelerate(module, subclasses=True)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("cls", [Skips, Plain])
def test_values_and_gradients_stay(cls, batch_first):
    torch.manual_seed(0)
    module = cls(5, 7, 2, batch_first=batch_first)
    x = torch.randn(4, 3, 5, requires_grad=True)
    due = module(x)[0]
    (gradient,) = torch.autograd.grad(due.sum(), x)
    report = accelerated(module)
    assert not report.kept
    assert isinstance(module, cls)
    assert isinstance(module, fastlstm.torch.LSTM)
    found = module(x)[0]
    torch.testing.assert_close(found, due)
    torch.testing.assert_close(torch.autograd.grad(found.sum(), x)[0], gradient)
    assert module.was_called, "our kernels computed it"
    assert not module.declined


def test_other_ways_of_its_forward_are_ours_too():
    torch.manual_seed(0)
    module, x, lengths = Skips(5, 7), torch.randn(4, 3, 5), torch.tensor([4, 0, 2])
    due = module(x, lengths=lengths)[0]
    accelerated(module)
    torch.testing.assert_close(module(x, lengths=lengths)[0], due)
    assert module.was_called


def test_a_cell():
    torch.manual_seed(0)
    module, x = Adds(5, 7), torch.randn(3, 5)
    due = module(x)
    assert not accelerated(module).kept
    torch.testing.assert_close(module(x), due)


@pytest.mark.parametrize(
    ("cls", "reason"),
    [
        (Calls, "its forward does not come to torch's"),
        (Asks, "its forward could not be tried: TypeError"),
        (Draws, "its forward gives other values with our kernels"),
    ],
)
def test_what_cannot_be_shown_is_kept(cls, reason):
    module = cls(5, 7)
    (entry,) = accelerated(module).kept
    assert reason in entry.reason
    assert type(module) is cls


def test_without_being_asked_they_are_kept_and_told_how():
    (entry,) = fastlstm.torch.accelerate(Skips(5, 7)).kept
    assert "subclasses=True" in entry.reason


def test_the_trial_leaves_no_trace():
    """Random numbers, the training flag, hooks and buffers are as they were."""
    module = nn.Sequential(Skips(5, 7, 2, dropout=0.5)).train()
    module[0].register_buffer("count", torch.zeros(()))
    calls = []
    module[0].register_forward_hook(lambda *_: calls.append(1))
    torch.manual_seed(3)
    due = torch.rand(2)
    torch.manual_seed(3)
    accelerated(module)
    assert torch.equal(torch.rand(2), due)
    assert module[0].training
    assert not calls
    assert module[0].count == 0
    assert not module[0].was_called


def test_copies_pickles_and_the_way_back():
    torch.manual_seed(0)
    module, x = Skips(5, 7), torch.randn(4, 3, 5)
    due = module(x)[0]
    report = accelerated(module)
    twin = copy.deepcopy(module)
    assert type(twin) is type(module)
    torch.testing.assert_close(twin(x)[0], due)
    loaded = pickle.loads(pickle.dumps(module))
    assert type(loaded) is Skips
    torch.testing.assert_close(loaded(x)[0], due)
    report.undo()
    assert type(module) is Skips
    accelerated(module)
    assert not fastlstm.torch.restore(module).kept
    assert type(module) is Skips
    torch.testing.assert_close(module(x)[0], due)
