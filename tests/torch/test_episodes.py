"""The loop of sb3-contrib's policies over time steps, as one call with `reset=`."""

from __future__ import annotations

import copy
import pickle
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import fastlstm.torch


class Policy(nn.Module):
    """What `one_call` relies on, in our own words: a static method that loops where an episode starts."""

    def __init__(self, num_layers: int) -> None:
        super().__init__()
        self.lstm_actor = nn.LSTM(5, 6, num_layers)
        self.calls = 0

    @staticmethod
    def _process_sequence(features: Tensor, states: Any, starts: Tensor, lstm: nn.LSTM) -> tuple[Tensor, Any]:
        N = states[0].shape[1]
        rows = features.reshape(N, -1, 5).swapaxes(0, 1)
        outputs = []
        for x, start in zip(rows, starts.reshape(N, -1).swapaxes(0, 1), strict=True):
            keep = (1 - start).view(1, N, 1)
            output, states = lstm(x[None], (keep * states[0], keep * states[1]))
            outputs.append(output)
        return torch.cat(outputs).transpose(0, 1).flatten(0, 1), states


@pytest.mark.parametrize(("N", "T", "L"), [(3, 7, 1), (1, 1, 1), (4, 5, 2), (8, 1, 1)])
def test_values_states_and_gradients_are_those_of_the_loop(N: int, T: int, L: int) -> None:
    torch.manual_seed(N)
    theirs = Policy(L)
    ours = copy.deepcopy(theirs)
    assert [entry.name for entry in fastlstm.torch.one_call(ours).replaced] == ["lstm_actor"]
    x, states = torch.randn(N * T, 5), (torch.randn(L, N, 6), torch.randn(L, N, 6))
    starts = (torch.rand(N * T) < 0.4).float()
    found = []
    for policy in (theirs, ours):
        given = [tensor.clone().requires_grad_() for tensor in (x, *states)]
        output, (h, c) = policy._process_sequence(given[0], tuple(given[1:]), starts, policy.lstm_actor)
        (output.sin().sum() + h.cos().sum() + c.sum()).backward()
        found.append([output, h, c, *(each.grad for each in (*given, *policy.parameters()))])
    for due, got in zip(*found, strict=True):
        torch.testing.assert_close(got, due, rtol=1e-4, atol=1e-5)


def test_the_layer_is_called_once() -> None:
    policy = Policy(1)
    fastlstm.torch.one_call(policy)
    calls: list[int] = []
    policy.lstm_actor.register_forward_hook(lambda *_: calls.append(1))
    starts = torch.tensor([1.0, 0, 0, 1, 0, 1])
    policy._process_sequence(torch.randn(6, 5), (torch.zeros(1, 2, 6), torch.zeros(1, 2, 6)), starts, policy.lstm_actor)
    assert calls == [1]


def test_a_copy_and_a_pickle_still_work_and_torch_s_own_layer_gets_the_loop() -> None:
    policy = Policy(1)
    fastlstm.torch.one_call(policy)
    x, states, starts = torch.randn(6, 5), (torch.zeros(1, 2, 6), torch.zeros(1, 2, 6)), torch.ones(6)
    due, _ = policy._process_sequence(x, states, starts, policy.lstm_actor)
    plain = pickle.loads(pickle.dumps(policy))
    assert type(plain.lstm_actor) is nn.LSTM
    for other in (copy.deepcopy(policy), plain):
        found, _ = other._process_sequence(x, states, starts, other.lstm_actor)
        torch.testing.assert_close(found, due, rtol=1e-4, atol=1e-5)


class Samples(NamedTuple):
    x: Tensor
    episode_starts: Tensor
    mask: Tensor


class Buffer:
    """What `one_call` relies on, in our own words: samples are cut and padded by `episode_starts` and `env_change`."""

    def __init__(self, x: np.ndarray, episode_starts: np.ndarray) -> None:
        self.x, self.episode_starts = x, episode_starts

    def pad_and_flatten(self, values: np.ndarray) -> Tensor:
        cut = np.split(values, np.flatnonzero(self.starts)[1:])
        return nn.utils.rnn.pad_sequence([torch.from_numpy(each) for each in cut], batch_first=True).flatten(0, 1)

    def _get_samples(self, batch_inds: np.ndarray, env_change: np.ndarray) -> Samples:
        self.starts = (self.episode_starts[batch_inds] + env_change[batch_inds]) != 0
        self.starts[0] = True
        given = self.x[batch_inds], self.episode_starts[batch_inds], np.ones(len(batch_inds), np.float32)
        return Samples(*map(self.pad_and_flatten, given))


def test_a_buffer_s_batches_are_cut_where_an_environment_begins_alone() -> None:
    rng = np.random.default_rng(0)
    starts = (rng.random(24) < 0.3).astype(np.float32)
    agent = SimpleNamespace(policy=Policy(1), rollout_buffer=Buffer(rng.random((24, 5), np.float32), starts))
    env_change = np.zeros(24)
    env_change[::8] = 1
    rows = np.r_[20:24, 0:12]
    theirs = agent.rollout_buffer._get_samples(rows, env_change)
    assert [entry.name for entry in fastlstm.torch.one_call(agent).replaced] == ["lstm_actor"]
    ours = agent.rollout_buffer._get_samples(rows, env_change)
    assert len(agent.rollout_buffer.starts.nonzero()[0]) == 3
    assert agent.rollout_buffer.episode_starts is starts
    for due, got in zip(theirs, ours, strict=True):
        assert torch.equal(due[theirs.mask > 0], got[ours.mask > 0])
    assert ours.episode_starts.sum() == starts[rows].sum() > 3
    copied = copy.deepcopy(agent.rollout_buffer)
    copied.x = copied.x + 1
    assert torch.equal(copied._get_samples(rows, env_change).x[ours.mask > 0], ours.x[ours.mask > 0] + 1)


def test_what_is_no_such_policy_is_refused() -> None:
    with pytest.raises(TypeError, match="_process_sequence"):
        fastlstm.torch.one_call(nn.LSTM(5, 6))
