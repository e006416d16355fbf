"""Policies of sb3-contrib's recurrent algorithms: their loop over time steps becomes one call with `reset=`.

The package is not imported: whatever has a `_process_sequence` of its kind is served.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from fastlstm.errors import refuse_type
from fastlstm.torch.layers import LSTM
from fastlstm.torch.swap import Report, accelerate

States = tuple[Tensor, Tensor]
METHOD = "_process_sequence"


def one_call(policy: torch.nn.Module) -> Report:
    """Accelerate the policy of a RecurrentPPO, and let its LSTMs take each batch of sequences in one call.

    Theirs calls the LSTM once for each time step wherever an episode starts within a batch; ours once, with the starts
    as `reset=`. The same values and gradients, to rounding. Returns what `accelerate` does; `del
    policy._process_sequence` gives the loop back. TypeError where `policy` has no such loop.

        >>> agent = RecurrentPPO("MlpLstmPolicy", env)
        >>> fastlstm.torch.one_call(agent.policy)
    """
    if not isinstance(policy, torch.nn.Module) or not callable(getattr(policy, METHOD, None)):
        refuse_type("policy", policy, "policy of sb3-contrib", f"it has a {METHOD}: agent.policy of a RecurrentPPO")
    report = accelerate(policy)
    theirs = getattr(type(policy), METHOD)
    setattr(policy, METHOD, _Sequences(theirs))
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
