"""What a recurrent layer or cell takes: its input and its states, in the order in which torch looks at them."""

from __future__ import annotations

from ..dims import Dim
from ..layers import Recurrent
from ..tensors import GUESSED
from ..values import Opaque, Packed, Tensor, Tup, Value, resolve
from .neural import of_weights
from .refusal import Refusal, differ, text


def check(
    layer: Recurrent, value: Value, state: Value | None, batch: Dim | None, time: Dim | None, plain: bool
) -> None:
    """Refuse what torch refuses of `layer(value, state)`; `plain` weights are float32."""
    given = None if state is None else resolve(state)
    if layer.is_cell:
        _cell(layer, value, given, plain)
    else:
        _layer(layer, value, given, batch, time, plain)


def _layer(
    layer: Recurrent, value: Value, state: Value | None, batch: Dim | None, time: Dim | None, plain: bool
) -> None:
    if isinstance(value, Tensor):
        if value.rank not in (2, 3):
            sentence = f"{layer.kind}: Expected input to be 2D or 3D, got {value.rank}D instead"
            raise Refusal("module", sentence, value)
        rank, last = value.rank, value.sizes[-1]
    elif isinstance(value, Packed):
        rank, last = 3, value.feature.size
        if value.rank != 3:
            raise Refusal("module", f"input must have 2 dimensions, got {value.rank - 1}")
        if value.short:
            raise Refusal("lengths", "a length is above the number of steps: start + length exceeds dimension size")
    else:
        return
    states = _states(layer, state, rank)
    _check_ranks(layer, value, states, rank)
    if isinstance(value, Tensor):
        of_weights(value, "RNN input dtype (torch.{2}) does not match weight dtype (torch.float32).", plain)
    if differ(last, layer.input_size) and not (isinstance(value, Packed) and unchecked(layer, value, state)):
        sentence = f"input.size(-1) must be equal to input_size. Expected {layer.input_size}, got {last}"
        raise Refusal("module", sentence, value, sure=True)
    if time is not None and time == 0:
        raise Refusal("module", "Expected sequence length to be larger than 0 in RNN", value)
    many = layer.has_cell_state
    for i, each in enumerate(states):
        if not isinstance(each, Tensor):
            continue
        width = layer.output_size if i == 0 else layer.hidden_size
        sizes = each.sizes if rank == 3 else (each.sizes[0], Dim.of(1), each.sizes[1])
        wanted = (layer.rows, Dim.of(1) if rank == 2 else batch, width)
        if any(b is not None and differ(a, b) for a, b in zip(sizes, wanted, strict=True)):
            name = f"hidden[{i}]" if many else "hidden"
            shape = ", ".join("?" if size is None else str(size) for size in wanted)
            raise Refusal("module", f"Expected {name} size ({shape}), got {text(sizes)}", value, each)
        of_weights(each, "mat1 and mat2 must have the same dtype, but got {0} and Float", plain)


def unchecked(layer: Recurrent, value: Packed, state: Value | None) -> bool:
    """Whether torch does not look at the features: of packed sequences of one length, for an LSTM without a state."""
    same = value.lengths is not None and len(set(value.lengths)) == 1
    return layer.kind == "LSTM" and state is None and (same or value.batch == 1)


def _states(layer: Recurrent, state: Value | None, rank: int) -> list[Value]:
    """The states by themselves: the pair of an LSTM, the one of a GRU or RNN."""
    if state is None or isinstance(state, Opaque) or layer.has_cell_state is None:
        return []
    if not layer.has_cell_state:
        if isinstance(state, Tup):
            word = "list" if state.is_list else "tuple"
            raise Refusal("type", f"'{word}' object has no attribute 'dim'", state, sure=True)
        return [state]
    if isinstance(state, Tensor):
        if state.rank and state.sizes[0] == 1:
            raise Refusal("type", "index 1 is out of bounds for dimension 0 with size 1", state, sure=True)
        if rank == 3:
            raise Refusal(
                "type",
                f"For batched 3-D input, hx and cx should also be 3-D but got ({state.rank - 1}-D, {state.rank - 1}-D) "
                "tensors",
                state,
            )
        return []
    if not isinstance(state, Tup):
        return []
    if len(state.items) < 2:
        raise Refusal("type", "tuple index out of range", state, sure=True)
    if len(state.items) > 2:
        raise Refusal("type", "lstm expects two hidden states", state, sure=True)
    return [resolve(item) for item in state.items]


def _check_ranks(layer: Recurrent, value: Value, states: list[Value], rank: int) -> None:
    for each in states:
        if isinstance(each, Tup):
            raise Refusal("type", "'tuple' object has no attribute 'dim'", each, sure=True)
    tensors = [each for each in states if isinstance(each, Tensor)]
    if all(each.rank == rank for each in tensors):
        return
    word = f"For {'batched' if rank == 3 else 'unbatched'} {rank}-D input"
    ranks = [f"{each.rank}-D" if isinstance(each, Tensor) else "?" for each in states]
    sentence = f"{word}, hx and cx should also be {rank}-D but got ({', '.join(ranks)}) tensors"
    if not layer.has_cell_state:
        sentence = f"{word}, hx should also be {rank}-D but got {ranks[0]} tensor"
    raise Refusal("module", sentence, value, *tensors)


def _cell(layer: Recurrent, value: Value, state: Value | None, plain: bool) -> None:
    if not isinstance(value, Tensor):
        return
    name = f"{layer.kind}Cell"
    if value.rank not in (1, 2):
        raise Refusal("module", f"{name}: Expected input to be 1D or 2D, got {value.rank}D instead", value)
    states: list[Value] = []
    if layer.has_cell_state:
        if isinstance(state, Tensor) and value.rank == 1 and state.rank == 2:  # of one sample it takes the rows
            if state.sizes[0] == Dim.of(1):
                raise Refusal("dim", "index 1 is out of bounds for dimension 0 with size 1", state, sure=True)
        elif isinstance(state, Tensor):
            sentence = "lstm_cell(): argument 'hx' (position 2) must be tuple of Tensors, not Tensor"
            raise Refusal("type", sentence, state, sure=True)
        if isinstance(state, Tup):
            states = [resolve(item) for item in state.items]
            if len(states) != 2:
                raise Refusal("type", "lstm_cell expects two hidden states", state, sure=True)
    elif isinstance(state, Tup) and layer.has_cell_state is not None:
        raise Refusal("type", "'tuple' object has no attribute 'dim'", state, sure=True)
    elif state is not None and layer.has_cell_state is not None:
        states = [state]
    tensors = [each for each in states if isinstance(each, Tensor)]
    for i, each in enumerate(tensors):
        if each.rank not in (1, 2):
            word = f"hx[{i}]" if layer.has_cell_state else "hidden"
            raise Refusal("module", f"{name}: Expected {word} to be 1D or 2D, got {each.rank}D instead", each)
    if differ(value.sizes[-1], layer.input_size):
        sentence = f"input has inconsistent input_size: got {value.sizes[-1]} expected {layer.input_size}"
        raise Refusal("module", sentence, value, sure=True)
    for i, each in enumerate(tensors):
        _check_cell_state(layer, value, each, f"hidden{i}")
    of_weights(value, "mat1 and mat2 must have the same dtype, but got {0} and Float", plain)
    for each in tensors:
        of_weights(each, "mat1 and mat2 must have the same dtype, but got {0} and Float", plain)


def _check_cell_state(layer: Recurrent, value: Tensor, state: Tensor, name: str) -> None:
    rows = value.sizes[0] if value.rank == 2 else Dim.of(1)
    sizes = state.sizes if value.rank == 2 else (Dim.of(1), *state.sizes)
    if GUESSED in value.traits and value.rank != state.rank:
        return
    if differ(rows, sizes[0]):
        sentence = f"Input batch size {rows} doesn't match {name} batch size {sizes[0]}"
        raise Refusal("module", sentence, value, state)
    if len(sizes) == 1:
        raise Refusal("module", "Dimension out of range (expected to be in range of [-1, 0], but got 1)", value, state)
    if len(sizes) == 3 and layer.kind == "GRU":
        raise Refusal("module", "a GRUCell's input without a batch axis takes a state without one", value, state)
    if differ(sizes[1], layer.hidden_size):
        sentence = f"{name} has inconsistent hidden_size: got {sizes[1]}, expected {layer.hidden_size}"
        raise Refusal("module", sentence, state)
    if len(sizes) == 3 and differ(sizes[2], layer.hidden_size):  # an axis is put in front of what has one for samples
        shapes = f"{sizes[1]}x{sizes[2]} and {layer.hidden_size}x{layer.hidden_size}"
        raise Refusal("module", f"mat1 and mat2 shapes cannot be multiplied ({shapes})", state)
