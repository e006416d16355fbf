"""Wrong calls that recurrent programs make, each refused by torch: the call, the rule, a piece of the change.

The messages are torch's own, made here by running it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence, pad_sequence

ERRORS = (RuntimeError, TypeError, ValueError, AttributeError, IndexError, AssertionError, UserWarning)

x, h = torch.zeros(4, 7, 5), torch.zeros(1, 4, 6)
output = torch.zeros(4, 7, 6)
lstm, gru = nn.LSTM(5, 6, batch_first=True), nn.GRU(5, 6, batch_first=True)
cell = nn.LSTMCell(5, 6)
both = nn.LSTM(5, 6, 2, bidirectional=True)
labels = torch.zeros(4).long()
packed = pack_padded_sequence(x, [7, 5, 3, 2], batch_first=True)
cross_entropy = nn.CrossEntropyLoss()


def message_of(call: Callable[[], object]) -> str:
    """What torch says, with the kind of the error before it, as the last line of a traceback."""
    try:
        with warnings.catch_warnings(action="error"):
            call()
    except ERRORS as error:
        return f"{type(error).__name__}: {error}"
    raise AssertionError("torch refused nothing")


def _overwritten() -> None:
    weight = torch.ones(3, requires_grad=True)
    state = weight.exp()
    loss = (state * state).sum()
    state[0] = 0
    loss.backward()


def _into_a_leaf() -> None:
    h_0 = torch.zeros(1, 4, 6, requires_grad=True)
    h_0[0] = 1


class Early(nn.Module):
    def __init__(self) -> None:
        self.lstm = lstm


REFUSALS: dict[str, tuple[Callable[[], object], str, str]] = {
    "projected state": (lambda: nn.LSTM(5, 6, proj_size=3)(x, (h, h)), "FL101", "proj_size features"),
    "batch of c_0": (lambda: lstm(x, (h, torch.zeros(1, 7, 6))), "FL104", "x.size(0)"),
    "rank of c_0": (lambda: lstm(x, (h, torch.zeros(4, 6))), "FL103", "leave the state out"),
    "states as two arguments": (lambda: lstm(x, h, h), "FL106", "lstm(x, (h_0, c_0))"),
    "no input": (lambda: lstm(), "", "layer(x)"),
    "three states": (lambda: lstm(x, (h, h, h)), "FL106", "(h_0, c_0)"),
    "a pair of None": (lambda: lstm(x, (None, None)), "FL106", "lstm(x)"),
    "an array": (lambda: lstm(x.numpy()), "", "as_tensor"),
    "a list": (lambda: lstm([1.0, 2.0]), "", "as_tensor"),
    "batch of a packed call's state": (lambda: gru(packed, torch.zeros(1, 7, 6)), "FL104", "x.size(0)"),
    "rank of a packed call's state": (lambda: gru(packed, torch.zeros(4, 6)), "FL103", "(1, 4, 6)"),
    "one axis": (lambda: lstm(torch.zeros(7)), "FL302", "unsqueeze(-1)"),
    "four axes": (lambda: lstm(torch.zeros(1, 4, 7, 5)), "FL707", "reshape images"),
    "state of an unbatched call": (lambda: gru(x[0], h), "FL103", "leave the state out"),
    "cell without batch": (lambda: cell(x[0, 0], (h[0, :1], h[0, :1])), "FL707", "torch.zeros(batch, 6)"),
    "no steps": (lambda: nn.LSTM(5, 6)(torch.zeros(0, 3, 5)), "FL709", "time"),
    "no hidden_size": (lambda: nn.LSTM(5), "FL307", "hidden_size="),
    "size as text": (lambda: nn.LSTM("5", 6), "FL307", "num_layers"),
    "no layers": (lambda: nn.LSTM(5, 6, 0), "FL307", "num_layers"),
    "half a layer": (lambda: nn.LSTM(5, 6, 1.0), "FL307", "num_layers"),
    "negative size": (lambda: nn.LSTM(5, -6), "FL307", "hidden_size"),
    "dropout for batch_first": (lambda: nn.LSTM(5, 6, 2, True, 0.3), "FL309", "batch_first="),
    "dropout of two": (lambda: nn.LSTM(5, 6, 2, dropout=2), "FL309", "dropout="),
    "dropout for nonlinearity": (lambda: nn.RNN(5, 6, 2, 0.5), "FL309", "by its name"),
    "another nonlinearity": (lambda: nn.RNN(5, 6, nonlinearity="gelu"), "FL307", "'relu'"),
    "Keras's option": (lambda: nn.LSTM(5, 6, return_sequences=True), "FL307", "All steps come back"),
    "a layer's option for a cell": (lambda: nn.LSTMCell(5, 6, batch_first=True), "FL307", "hidden_size="),
    "weights of another size": (
        lambda: nn.LSTM(5, 6).load_state_dict(nn.LSTM(5, 7).state_dict()),
        "",
        "weight_hh_l0.shape[1]",
    ),
    "weights of two layers": (lambda: nn.LSTM(5, 6).load_state_dict(nn.LSTM(5, 6, 2).state_dict()), "", "num_layers"),
    "a layer before super()": (lambda: Early(), "", "super().__init__()"),
    "no forward": (lambda: nn.Module()(x), "", "def forward"),
    "state of the module": (lambda: lstm.hidden, "", "output, (h_n, c_n) = lstm(x)"),
    "a bare weight": (lambda: setattr(nn.LSTM(5, 6), "weight_ih_l0", x), "", "copy_"),
    "heads": (lambda: nn.MultiheadAttention(6, 4), "", "divides"),
    "attention": (lambda: nn.TransformerEncoderLayer(6, 2)(x), "FL707", "nn.MultiheadAttention(5"),
    "detached pair": (lambda: lstm(x)[1].detach(), "FL106", "c.detach()"),
    "indexed pair": (lambda: lstm(x)[:, -1], "FL508", "output[:, -1]"),
    "indexed packed": (lambda: lstm(packed)[0][:, -1], "FL402", "pad_packed_sequence"),
    "unpacked pair": (lambda: pad_packed_sequence(lstm(packed)), "FL402", "packed_out"),
    "joined pairs": (lambda: torch.cat([lstm(x)[1], lstm(x)[1]]), "FL711", "(h_n, c_n)"),
    "joined tensor": (lambda: torch.cat(output, 1), "FL711", "torch.cat([a, b], dim)"),
    "added pair": (lambda: output + lstm(x), "FL711", "(h_n, c_n)"),
    "pair in relu": (lambda: F.relu(lstm(x)), "FL508", "output, state = layer(x)"),
    "in Sequential": (lambda: nn.Sequential(lstm, nn.Linear(6, 2))(x), "FL507", "nn.Sequential"),
    "packed in Linear": (lambda: nn.Linear(6, 2)(packed), "FL402", "pad_packed_sequence"),
    "empty sequence": (lambda: pack_padded_sequence(x, [4, 3, 2, 0], batch_first=True), "FL709", "empty"),
    "lengths of two axes": (lambda: pack_padded_sequence(x, labels[None], batch_first=True), "FL404", "lengths.cpu()"),
    "total_length": (lambda: pad_packed_sequence(packed, total_length=3), "FL709", "x.size(1)"),
    "two directions in Linear": (lambda: nn.Linear(6, 2)(both(x)[0]), "FL301", "nn.Linear(12, 2)"),
    "a product": (lambda: output[0] @ x[0], "FL701", "pass it the"),
    "matrix by vector": (lambda: output[0] @ torch.zeros(5), "FL701", "a @ b"),
    "vectors": (lambda: torch.dot(torch.zeros(3), torch.zeros(4)), "FL701", "a @ b"),
    "mm of batches": (lambda: torch.mm(x, x), "FL701", "a @ b"),
    "bmm of a matrix": (lambda: torch.bmm(x, x[0]), "FL701", "a @ b"),
    "t() of three": (lambda: output.t(), "FL705", "transpose(1, 2)"),
    "expand": (lambda: output.expand(4, 7), "FL702", "unsqueeze"),
    "repeat": (lambda: output.repeat(2, 2), "FL702", "unsqueeze"),
    "two guesses": (lambda: output.view(-1, -1), "FL704", "x.size(0)"),
    "an axis twice": (lambda: output.permute(1, 1, 0), "FL705", "transpose(a, b)"),
    "steps by length": (lambda: output[torch.arange(4), torch.arange(3)], "FL702", "lengths - 1"),
    "mask": (lambda: output[torch.zeros(7, 4).bool()], "FL702", "mask.t()"),
    "gather's axes": (lambda: output.gather(1, torch.zeros(4, 6).long()), "FL705", "lengths - 1"),
    "gather's sizes": (lambda: output.gather(1, torch.zeros(5, 1, 6).long()), "FL705", "lengths - 1"),
    "narrow": (lambda: output.narrow(1, 5, 4), "FL705", "axis 0"),
    "unfold": (lambda: output.unfold(1, 9, 1), "FL705", "axis 0"),
    "ragged lists": (lambda: torch.tensor([[1, 2], [3]]), "FL703", "pad_sequence"),
    "padded features": (lambda: pad_sequence([x[0], output[0]]), "FL702", "unsqueeze"),
    "a step that is not there": (lambda: output[:, 9], "FL705", "batch_first"),
    "floating index": (lambda: output[torch.tensor([1.0])], "FL710", "x.long()"),
    "floating classes": (lambda: F.one_hot(torch.tensor([1.0])), "FL710", "x.long()"),
    "large class": (lambda: cross_entropy(output[:, 0], labels + 9), "", "largest class + 1"),
    "large id": (lambda: F.one_hot(torch.tensor([5]), 3), "", "largest id + 1"),
    "normed batch of one": (lambda: nn.BatchNorm1d(6)(torch.zeros(1, 6)), "", "drop_last"),
    "norm of four axes": (lambda: nn.BatchNorm1d(6)(output[None]), "FL707", "transpose(1, 2)"),
    "long kernel": (lambda: nn.Conv1d(7, 3, 9)(output), "FL210", "transpose(1, 2)"),
    "pooled features": (lambda: nn.MaxPool1d(9)(output), "FL210", "transpose(1, 2)"),
    "logits of all steps": (lambda: cross_entropy(output, labels), "FL604", "logits.transpose(1, 2)"),
    "broadcast loss": (lambda: F.mse_loss(output[:, 0, :1], torch.zeros(4)), "FL606", "prediction.squeeze(-1)"),
    "probabilities": (lambda: F.binary_cross_entropy(output[:, 0] + 2, output[:, 0]), "", "with_logits"),
    "whole targets": (lambda: F.binary_cross_entropy_with_logits(output[:, 0, 0], labels), "FL710", "x.float()"),
    "softmax without an axis": (lambda: F.softmax(output), "FL602", "dim=-1"),
    "CTC": (lambda: nn.CTCLoss()(output, output[:, :, 0].long(), labels + 7, labels + 2), "", "transpose(0, 1)"),
    "double input": (lambda: lstm(x.double()), "FL710", "layer.double()"),
    "double state": (lambda: gru(x, h.double()), "FL710", "x.float()"),
    "another device": (lambda: nn.Linear(5, 2, device="meta")(x), "", "device=x.device"),
    "device of a tensor": (lambda: torch.zeros(1, device=x), "", "device=x.device"),
    "all sizes as one": (lambda: torch.zeros(1, x.size(), 6), "FL710", "x.size(0)"),
    "divided size": (lambda: torch.zeros(1, 4, 12 / 2), "FL710", "//"),
    "overwritten": (_overwritten, "FL502", "detach()"),
    "learned state": (_into_a_leaf, "", "expand"),
    "backward of output": (lambda: lstm(x)[0].backward(), "", "loss.backward()"),
    "nothing learned": (lambda: output.sum().backward(), "", "Detach the carried state only"),
    "array of a graph": (lambda: lstm(x)[0].numpy(), "", "detach().cpu().numpy()"),
    "one number": (lambda: output.item(), "", "item()"),
    "as a condition": (lambda: bool(output), "", ".any()"),
    "packed by hand": (lambda: lstm(PackedSequence(x, torch.tensor([4]))), "FL704", "x.size(0)"),
}
