"""Policies of sb3-contrib's recurrent algorithms: their loop over time steps becomes one call with `reset=`.

The package is not imported: whatever has a `_process_sequence` of its kind is served.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from fastlstm.errors import refuse_type
from fastlstm.torch.layers import LSTM
from fastlstm.torch.swap import Report, accelerate

States = tuple[Tensor, Tensor]
LOOP, SAMPLES = "_process_sequence", "_get_samples"
"""The methods that are replaced: of a policy, and of a rollout buffer."""


def one_call(agent: Any) -> Report:
    """Accelerate a RecurrentPPO, and let its LSTMs take each batch of sequences in one call.

    Theirs calls the LSTM once for each time step wherever an episode starts within a batch; ours once, with the starts
    as `reset=`. So an episode's start need not be a sequence's any more: the agent's buffer cuts its batches where
    another environment begins alone, and pads less. The same values and gradients, to rounding.

    Also of a policy alone, `agent.policy`, without the buffer. Returns what `accelerate` does; `del
    policy._process_sequence` and `del agent.rollout_buffer._get_samples` give both back. To be called again after
    `RecurrentPPO.load`. TypeError where there is no such loop.

        >>> agent = RecurrentPPO("MlpLstmPolicy", env)
        >>> fastlstm.torch.one_call(agent)
    """
    policy = agent if isinstance(agent, torch.nn.Module) else getattr(agent, "policy", None)
    if not isinstance(policy, torch.nn.Module) or not callable(getattr(policy, LOOP, None)):
        refuse_type("agent", agent, "RecurrentPPO of sb3-contrib, or its policy", f"the policy has a {LOOP}")
    report = accelerate(policy)
    setattr(policy, LOOP, _Sequences(getattr(type(policy), LOOP)))
    buffer = getattr(agent, "rollout_buffer", None)
    if callable(getattr(buffer, SAMPLES, None)):
        setattr(buffer, SAMPLES, _Segments(buffer))
    return report


class _Sequences:
    """In place of the static method `_process_sequence`; with a name, so that a policy can be copied and pickled."""

    def __init__(self, theirs: Any) -> None:
        self.theirs = theirs

    def __call__(self, features: Tensor, lstm_states: States, episode_starts: Tensor, lstm: Any) -> tuple[Tensor, Any]:
        """features (N*T, I), sequence after sequence; states (L, N, H); episode_starts (N*T,), 1 where one starts.

        Gives the output, (N*T, H), and the states after the last steps.
        """
        if not isinstance(lstm, LSTM):
            result: tuple[Tensor, Any] = self.theirs(features, lstm_states, episode_starts, lstm)
            return result
        N = lstm_states[0].shape[1]
        x = features.reshape(N, -1, lstm.input_size).transpose(0, 1)
        starts = episode_starts.reshape(N, -1).transpose(0, 1) != 0
        output, states = lstm(x, lstm_states, reset=starts)
        return output.transpose(0, 1).flatten(0, 1), states


class _Segments:
    """In place of a buffer's `_get_samples`: sequences begin where a batch or an environment does.

    Theirs begins one at every episode's start, too, and pads all to the longest.
    """

    def __init__(self, buffer: Any) -> None:
        self.buffer = buffer

    def __call__(self, batch_inds: np.ndarray, *rest: Any) -> Any:
        """batch_inds (N,), each environment's steps in their order. What theirs gives, in other sequences."""
        buffer, starts = self.buffer, self.buffer.episode_starts
        buffer.episode_starts = np.zeros_like(starts)
        try:
            samples = type(buffer)._get_samples(buffer, batch_inds, *rest)
        finally:
            buffer.episode_starts = starts
        return samples._replace(episode_starts=buffer.pad_and_flatten(starts[batch_inds]))
