"""One step of a single layer, as cells and loops over layers make it, known to autograd.

Of torch's own operators a step is some twenty nodes of autograd's graph; some make a whole gradient of a weight, and
the T steps of a loop add up T of those. Here a step is one node, and the weights are another one that all steps
share: a step's backward notes the gradients of its gates there, and when the last has come the weights' gradients are
one product over the samples of all steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import is_
from threading import get_ident
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch._C import _current_graph_task_id, _will_engine_execute_node

from fastlstm.engine.pool import get_num_threads
from fastlstm.engine.products import Product
from fastlstm.engine.unpacked import Unpacked
from fastlstm.torch.composed import step_by_torch
from fastlstm.torch.operators import by_torch, pulled
from fastlstm.torch.runner import Runner


class Note(NamedTuple):
    """What one step adds to the weights' gradients: factors of products, or gradients that are made already."""

    z: Tensor | None = None  # (B, G*H), the gradient of the input products
    u: Tensor | None = None  # that of the recurrent ones, often the same tensor
    x: Tensor | None = None
    h: Tensor | None = None  # the state before; None for zeros
    by: Unpacked | None = None  # who multiplies
    made: Sequence[Tensor | None] = ()


class Weights(torch.autograd.Function):
    """A number that stands for the weights in the graph of each step, and to which no step gives a gradient.

    Nothing of a call is saved, so one node serves all steps and graphs while the weights are the same tensors; after a
    backward the next step makes a new one, since the engine runs what was made last first. It runs this one when all
    steps of a pass have run; their notes are found by the number of that pass.
    """

    @staticmethod
    def forward(ctx: Any, *weights: Tensor) -> Tensor:
        ctx.notes, ctx.used = {}, False
        ctx.shapes = [weight.shape for weight in weights]
        ctx.set_materialize_grads(False)
        return weights[0].new_zeros(())

    @staticmethod
    def backward(ctx: Any, _: Tensor | None) -> tuple[Tensor | None, ...]:
        ctx.used = True
        wanted: tuple[bool, ...] = ctx.needs_input_grad
        notes = ctx.notes.pop(_this_pass(), [])
        factors = [note for note in notes if note.z is not None]
        total: list[Any] = _products(factors, ctx.shapes, wanted) if factors else [None] * len(wanted)
        for note in notes:
            for number, grad in enumerate(note.made):
                before = total[number]
                total[number] = grad if before is None else before if grad is None else before + grad
        return tuple(total)


def _this_pass() -> tuple[int, int]:
    """The backward pass that this thread is in; compiled autograd's have no number, and end before the next begins."""
    return get_ident(), _current_graph_task_id()


def _products(notes: Sequence[Note], shapes: Sequence[Any], wanted: Sequence[bool]) -> list[Tensor | None]:
    """The gradients, of those that are wanted, of weight_ih, weight_hh and, where there are four, both biases."""
    z = _joined([note.z for note in notes])
    u = z if notes[0].u is notes[0].z else _joined([note.u for note in notes])
    grads: list[Tensor | None] = [None] * len(wanted)
    factors: list[tuple[int, Tensor, Tensor]] = []
    if wanted[0]:
        factors.append((0, z, _joined([note.x for note in notes])))
    if wanted[1]:
        moved = [note for note in notes if note.h is not None]
        if moved:
            some = u if len(moved) == len(notes) else _joined([note.u for note in moved])
            factors.append((1, some, _joined([note.h for note in moved])))
        else:
            grads[1] = z.new_zeros(shapes[1])
    biases = [(number, gates) for number, gates in ((2, z), (3, u)) if len(wanted) > number and wanted[number]]
    samples, threads = len(z), _threads()
    unpacked = notes[0].by
    if unpacked is None or threads == 1 or not unpacked.has_work_for_two(samples):
        for number, gates, values in factors:
            grads[number] = torch.mm(gates.t(), values)
        for number, gates in biases:
            grads[number] = gates.sum(0)
        return grads
    rows, products = z.shape[1], []
    kept = [_dense(values) for _, _, values in factors]  # as long as their addresses are used
    for (number, gates, _), values in zip(factors, kept, strict=True):
        out = grads[number] = z.new_empty(shapes[number])
        products.append(Product(
            rows, len(gates), out.shape[1], gates.data_ptr(), 1, rows, values.data_ptr(), out.shape[1],
            out.data_ptr(), out.shape[1],
        ))  # fmt: skip
    ones = z.new_ones(samples if biases else 0)
    for number, gates in biases:
        out = grads[number] = z.new_empty(shapes[number])
        products.append(Product(
            1, samples, rows, ones.data_ptr(), samples, 1, gates.data_ptr(), rows, out.data_ptr(), rows,
        ))  # fmt: skip
    if products:
        unpacked.multiply(products, samples, threads)
    return grads


def _threads() -> int:
    return min(torch.get_num_threads(), get_num_threads())


def _joined(parts: Sequence[Any]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))


class Shared(NamedTuple):
    """The weights' node, and for which weights it was made."""

    weights: Sequence[Tensor]
    wanted: Sequence[bool]
    token: Tensor
    node: Any


def _shared(runner: Runner, weights: Sequence[Tensor], wanted: Sequence[bool], lasting: bool) -> Shared:
    """The node of these weights; a new one where they are not what they were in the step before."""
    known: Shared | None = runner.shared
    if known is not None and known.wanted == wanted and all(map(is_, known.weights, weights)):
        # With notes it is at work in another backward pass, or in one that ended in an exception, and whose notes go
        # with the node.
        is_free = not known.node.used and not known.node.notes
        if is_free:
            return known
    token = Weights.apply(*weights)
    shared = Shared(weights, wanted, token, token.grad_fn)
    if lasting:
        runner.shared = shared
    return shared


class Step(torch.autograd.Function):
    """The states after a step, of (runner, weights, their addresses, their node, its token, x, *states)."""

    @staticmethod
    def forward(
        ctx: Any,
        runner: Runner,
        weights: Sequence[Tensor],
        pointers: list[int],
        node: Any,
        token: Tensor | None,
        x: Tensor,
        *states: Tensor,
    ) -> Any:
        assert runner.unpacked is not None
        kept = x.new_empty((x.shape[0], runner.unpacked.kept_width))
        after = run(runner, pointers, x, states, kept)
        ctx.made_by = runner, node
        ctx.save_for_backward(kept, x, *weights, *states)
        ctx.set_materialize_grads(False)
        return after if len(after) == 2 else after[0]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Any, ...]:
        runner, node = ctx.made_by
        kept, x, *rest = ctx.saved_tensors
        end = len(runner.shapes)
        weights, states = rest[:end], rest[end:]
        wants_weights, wants_x, *wants_states = ctx.needs_input_grad[4:]
        if grads[0] is None and grads[-1] is None:
            return (None,) * (6 + len(states))
        notes: list[Note] | None = None
        if wants_weights and _will_engine_execute_node(node):
            notes = node.notes.setdefault(_this_pass(), [])
        if by_torch(grads):
            wanted = [wants_x, *wants_states, *[notes is not None and weight.requires_grad for weight in weights]]
            count = len(states)

            def after(x: Tensor, *others: Tensor) -> Sequence[Tensor]:
                return step_by_torch(runner.config, x, others[:count], others[count:])

            made = pulled(after, (x, *states, *weights), grads, wanted)
            if notes is not None:
                notes.append(Note(made=made[1 + len(states) :]))
            return (None, None, None, None, None, *made[: 1 + len(states)])
        z, u, direct, grad_c = run_back(runner, kept, states, grads)
        if notes is not None:
            notes.append(Note(z, u, x, states[0] if states else None, runner.unpacked))
        grad_x, grad_h = _behind_gates(runner, weights, z, u, direct, wants_x, bool(states) and wants_states[0])
        if not states:
            return None, None, None, None, None, grad_x
        if grad_c is None:
            return None, None, None, None, None, grad_x, grad_h
        return None, None, None, None, None, grad_x, grad_h, grad_c if wants_states[1] else None


def _behind_gates(
    runner: Runner, weights: Sequence[Tensor], z: Tensor, u: Tensor, direct: Tensor | None, wants_x: bool, wants_h: bool
) -> tuple[Tensor | None, Tensor | None]:
    """The gradients of x and of h from the gates'; None for what is not wanted.

    With more than one thread by the pool's: torch's team waits for each of its threads, whatever else the machine does.
    """
    unpacked, B, threads = runner.unpacked, len(z), _threads()
    assert unpacked is not None
    if threads == 1 or not unpacked.has_work_for_two(B):
        grad_x = torch.mm(z, weights[0]) if wants_x else None
        if not wants_h:
            return grad_x, None
        return grad_x, torch.mm(u, weights[1]) if direct is None else torch.addmm(direct, u, weights[1])
    products, found = [], []
    for wanted, gates, weight, start in ((wants_x, z, weights[0], None), (wants_h, u, weights[1], direct)):
        out = None
        if wanted:
            rows, columns = weight.shape
            out = z.new_empty((B, columns))
            products.append(Product(
                B, rows, columns, gates.data_ptr(), rows, 1, weight.data_ptr(), columns, out.data_ptr(), columns,
                0 if start is None else start.data_ptr(), columns,
            ))  # fmt: skip
        found.append(out)
    if products:
        unpacked.multiply(products, B, threads)
    return found[0], found[1]


# Without what torch.autograd.Function.apply looks for in Python, a fifth of a step's time: `surroundings` has looked.
_apply = super(torch.autograd.Function, Step).apply


def advance(
    runner: Runner,
    weights: Sequence[Tensor],
    pointers: list[int],
    x: Tensor,
    states: Sequence[Tensor],
    lasting: bool = True,
) -> tuple[Tensor, ...]:
    """The states after a step: x (B, I), states (B, H) or none for zeros, checked; weights contiguous, at `pointers`.

    lasting: whether the weights are parameters, not tensors that something computed for this call alone.
    """
    if torch.is_grad_enabled():
        wanted = [weight.requires_grad for weight in weights]
        token: Any
        if True in wanted:
            _, _, token, node = _shared(runner, weights, wanted, lasting)
        elif x.requires_grad or any(state.requires_grad for state in states):
            token = node = None
        else:
            return run(runner, pointers, x, states)
        after = _apply(runner, weights, pointers, node, token, x, *states)
        return after if runner.states == 2 else (after,)
    return run(runner, pointers, x, states)


def run(
    runner: Runner, pointers: list[int], x: Tensor, states: Sequence[Tensor], kept: Tensor | None = None
) -> tuple[Tensor, ...]:
    """The states after a step, which autograd does not know of. kept: (B, kept_width), where a backward may follow."""
    unpacked = runner.unpacked
    assert unpacked is not None
    B = x.shape[0]
    shape = (B, runner.config.hidden_size)
    if not x.is_contiguous():
        x = x.contiguous()
    h0 = c0 = 0
    if states:
        dense = [state if state.is_contiguous() else state.contiguous() for state in states]
        h0, c0 = dense[0].data_ptr(), dense[-1].data_ptr()
        h = torch.empty_like(dense[0])  # a third of the time of new_empty
    else:
        h = x.new_empty(shape)
    hn = cn = h.data_ptr()
    after: tuple[Tensor, ...] = (h,)
    if runner.states == 2:
        c = torch.empty_like(h)
        after, cn = (h, c), c.data_ptr()
    unpacked.step(
        pointers, B, _threads(), bool(states), x.data_ptr(), h0, c0, hn, hn, cn,
        0 if kept is None else kept.data_ptr(),
    )  # fmt: skip
    return after


def run_back(
    runner: Runner, kept: Tensor, states: Sequence[Tensor], grads: Sequence[Tensor | None]
) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
    """Gradients: of the input and the recurrent products, (B, G*H); of h past the gates and of c, where there are."""
    unpacked, B = runner.unpacked, kept.shape[0]
    assert unpacked is not None
    shape = (B, runner.config.hidden_size)
    dense = [tensor if tensor is None else _dense(tensor) for tensor in (kept, *states, *grads)]
    addresses = [0 if tensor is None else tensor.data_ptr() for tensor in dense]
    z = kept.new_empty((B, unpacked.gate_rows))
    z_at = u_at = z.data_ptr()
    u, direct, grad_c, direct_at, grad_c_at = z, None, None, 0, 0
    if unpacked.splits_gates:
        u = kept.new_empty((B, unpacked.gate_rows))
        u_at = u.data_ptr()
    if unpacked.passes_state:
        direct = kept.new_empty(shape)
        direct_at = direct.data_ptr()
    if runner.states == 2:
        grad_c = kept.new_empty(shape)
        grad_c_at = grad_c.data_ptr()
    h0, c0 = (addresses[1], addresses[len(states)]) if states else (0, 0)
    unpacked.back(
        B, _threads(), addresses[0], h0, c0, addresses[-len(grads)], addresses[-1],
        z_at, u_at, direct_at, grad_c_at,
    )  # fmt: skip
    return z, u, direct, grad_c


def _dense(tensor: Tensor) -> Tensor:
    """With its numbers as they are and one after the other; a copy only where they are not."""
    if tensor.is_neg():
        tensor = tensor.resolve_neg()
    return tensor if tensor.is_contiguous() else tensor.contiguous()
