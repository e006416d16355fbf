"""The call of a recurrent layer, forward and backward: what LSTM, GRU, RNN and a user's cell have in common."""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

import numpy as np
from fastlstm_lint.contract import Layer, sizes
from numpy import ndarray

from .. import errors
from ..spec import INFERENCE, TRAINING, Call, Engine, Grads
from . import checks
from .arrays import dropout_mask, float_dtype
from .attributes import LayerAttributes
from .checks import Form, States
from .module import Module, uniform
from .packing import PackedSequence
from .places import PLACES
from .steps import Steps


@dataclass(slots=True, eq=False, repr=False)
class Tape:
    """What a forward in training mode keeps for its backward. Good for one: `saved` is None afterwards."""

    saved: Any
    version: int
    output_shape: tuple[int, ...]  # of its data, where it is packed
    form: Form | None
    static_steps: frozenset[str] = frozenset()  # the step inputs that are one for all steps


class RecurrentLayer(LayerAttributes, Module):
    """A stack of recurrent layers; LSTM, GRU, RNN and Recurrent say how their states look to the user."""

    def __init__(
        self,
        config: Layer,
        dropout: float,
        dtype: Any,
        seed: int | np.random.Generator | None,
        device: str = "cpu",
    ) -> None:
        device = checks.one_of("device", device, tuple(PLACES))
        dropout = errors.dropout(dropout, config.num_layers)
        rng, dtype = np.random.default_rng(seed), float_dtype(dtype)
        title = f"{config.kind}({config.input_size}, {config.hidden_size}, num_layers={config.num_layers})"
        checks.parameters_fit(config, dtype, title)
        shapes = {name: sizes(shape) for name, shape in config.parameters().items()}
        super().__init__(uniform(shapes, config.hidden_size**-0.5, dtype, rng), rng)
        self.config, self.dtype, self._dropout, self.device = config, dtype, dropout, device
        self._prepare()

    def _prepare(self) -> None:
        """What can be derived: the engine, and the numbers that a call compares."""
        config = self.config
        self._place = PLACES[self.device]
        self._engine = self._made_engine()
        self._batch_axis = 0 if config.batch_first else 1
        self._input_size = config.input_size
        self._state_rows = config.num_layers * config.directions
        self._widths = tuple(sizes(config.state(name, 1))[-1] for name in config.state_names)

    def _made_engine(self) -> Engine:
        """What computes the layer."""
        return self._place.engine(self.config, self.dtype)

    def _forward(self, x: Any, states: tuple[Any, ...] | None, reset: Any) -> tuple[Any, States]:
        """Output and final states. A dense batch that is right as it is takes the short way: about 1 us of checks."""
        batch_axis = self._batch_axis
        if not (
            type(x) is ndarray
            and x.ndim == 3
            and x.dtype is self.dtype
            and x.shape[2] == self._input_size
            and x.shape[1 - batch_axis]
            and x.flags.carray
            and (states is None or self._fits(states, x.shape[batch_axis]))
            and (reset is None or self._fits_reset(reset, x.shape))
        ):
            return self._forward_any(x, states, reset)
        call = TRAINING if self.training else INFERENCE
        if reset is not None or (self.training and self._dropout):
            call = Call(self.training, reset=reset, masks=self._masks(x.shape[:2]))
        output, final, saved = self._engine.forward(self._parameters, self._version, x, states, call)
        if self.training:
            self._keep(Tape(saved, self._version, output.shape, None))
        return output, final

    def _fits(self, states: tuple[Any, ...], B: int) -> bool:
        """The initial states are right as they are."""
        # The first and the last, of one or two, and no loop over them: it would cost 0.3 us.
        h, c, rows, widths, dtype = states[0], states[-1], self._state_rows, self._widths, self.dtype
        return (
            type(h) is ndarray
            and h.shape == (rows, B, widths[0])
            and h.dtype is dtype
            and h.flags.carray
            and type(c) is ndarray
            and c.shape == (rows, B, widths[-1])
            and c.dtype is dtype
            and c.flags.carray
            and (len(states) < 3 or all(self._fits(two, B) for two in pairwise(states)))
        )

    def _fits_reset(self, reset: Any, shape: tuple[int, ...]) -> bool:
        """The reset mask is right as it is."""
        T, B = shape[1 - self._batch_axis], shape[self._batch_axis]
        return type(reset) is ndarray and reset.dtype == np.bool_ and reset.shape == (T, B) and reset.flags.carray

    def _forward_any(
        self, x: Any, states: tuple[Any, ...] | None, reset: Any, all_states: bool = False, step: Any = None
    ) -> tuple[Any, ...]:
        """The careful way: any form of input, and a diagnosis where it is wrong. Output, final states, with
        `all_states` those after every step.
        """
        if all_states and (why := self._why_no_states()):
            raise ValueError(f"all_states is True, but {why}")
        given = checks.check_call(self.config, self.dtype, self._place, x, states, reset)
        steps = self._steps(step, given)
        masks = self._masks(tuple(given.x.shape)[:-1])
        inputs = None if steps is None else steps.values
        call = Call(self.training, given.batch_sizes, given.reset, masks, inputs, all_states)
        output, final, saved, *every = self._engine.forward(
            self._parameters, self._version, given.x, given.states, call
        )
        every = list(every[0]) if every else []
        form = given.form
        if form is not None:
            output, final = form.outer(output), tuple(map(form.outer_state, final))
            every = list(map(form.outer, every))
        if self.training:
            shape = tuple((output.data if isinstance(output, PackedSequence) else output).shape)
            self._keep(Tape(saved, self._version, shape, form, frozenset(steps.static if steps else ())))
        return (output, final, tuple(every)) if all_states else (output, final)

    def _steps(self, step: Any, given: checks.Given) -> Steps | None:
        """The step inputs of a call, for a cell that may have some."""
        return None

    def _why_no_states(self) -> str | None:
        """Why the states after every step are not given."""
        return f"device is {self.device!r}: its kernels do not write them" if self.device != "cpu" else None

    def _masks(self, lead: tuple[int, ...]) -> list[ndarray]:
        """Dropout masks of all layers but the last, none where nothing is dropped; `lead` is the shape of the output
        without its features.
        """
        if not (self.training and self._dropout):
            return []
        shape = (*lead, self.config.directions * self.config.output_size)
        return [dropout_mask(self._rng, shape, self.dropout, self.dtype) for _ in range(self.config.num_layers - 1)]

    def _backward(
        self,
        grad_output: Any,
        grad_states: tuple[Any, ...] | None,
        tape: Tape | None,
        grad_all_states: Any = None,
    ) -> tuple[Any, ...]:
        """Gradients of x, of the initial states and, where the cell has them, of the step inputs; adds those of the
        parameters to `grad`.
        """
        tape = self._checked_tape(tape)
        every = self._checked_all_states(grad_all_states, tape)
        # No generator, which `all` would close: an interrupt that comes just then would be printed and forgotten.
        if not [grad for grad in (grad_output, *(grad_states or ()), *every) if grad is not None]:
            raise ValueError("the gradients of the output and of all states are None, expected one at least")
        if grad_output is not None:
            grad_output = self._checked_grad_output("grad_output", grad_output, tape)
        states = self._checked_grad_states(grad_states, tape)
        grad_x, grad_initial, grads, *grad_step = self._engine.backward(
            self._parameters, self._version, tape.saved, Grads(grad_output, states, every)
        )
        self._done(tape, grads)
        if tape.form is not None:
            grad_x, grad_initial = tape.form.outer(grad_x), tuple(map(tape.form.outer_state, grad_initial))
        return grad_x, grad_initial, *grad_step

    def _checked_all_states(self, given: Any, tape: Tape) -> tuple[Any, ...]:
        """The gradients of the states after every step, in the engine's form; none where none are given."""
        if given is None:
            return ()
        names = self.config.state_names
        if not isinstance(given, tuple | list) or len(given) != len(names):
            due = f"one for each of {', '.join(names)}"
            errors.refuse_type("grad_all_states", given, f"tuple of {len(names)}", due)
        if why := self._why_no_states():
            raise ValueError(f"grad_all_states is given, but {why}")
        return tuple(
            None if grad is None else self._checked_grad_output(f"grad_all_states of {name}", grad, tape, name)
            for name, grad in zip(names, given, strict=True)
        )

    def _checked_tape(self, tape: Tape | None) -> Tape:
        """The given tape, or the layer's; RuntimeError where there is none to go back through."""
        tape = tape or self.tape or Tape(None, self._version, (), None)
        errors.check_tape(tape.saved is not None, self.training, tape.version == self._version)
        return tape

    def _checked_grad_states(self, grad_states: tuple[Any, ...] | None, tape: Tape) -> tuple[Any, ...]:
        """The gradients of the final states, in the engine's form."""
        states = (None,) * len(self._widths) if grad_states is None else grad_states
        T, B = self._sizes(tape)
        states = checks.check_states(self.config, self.dtype, self._place, states, T, B, "grad_{}_n")
        if tape.form is None:
            return states
        return tuple(None if grad is None else tape.form.inner_state(grad) for grad in states)

    def _done(self, tape: Tape, grads: dict[str, Any]) -> None:
        """The tape is used up; the parameters' gradients are added to `grad`."""
        tape.saved = None
        if tape is self.tape:
            self.tape = None
        self._accumulate(self._place.fetch(grads))

    def _sizes(self, tape: Tape) -> tuple[int, int | None]:
        """T and B of the forward; B is None where it was unbatched."""
        if tape.form is None:
            shape = tape.output_shape
            return shape[1 - self._batch_axis], shape[self._batch_axis]
        packed = tape.form.packed
        return (tape.output_shape[0], None) if packed is None else (len(packed.batch_sizes), int(packed.batch_sizes[0]))

    def _checked_grad_output(self, name: str, grad: Any, tape: Tape, state: str | None = None) -> Any:
        """The gradient of the output, or of a state after every step, in the engine's form."""
        packed = tape.form.packed if tape.form else None
        if (packed is not None) != isinstance(grad, PackedSequence):
            errors.refuse_type(name, grad, "numpy array" if packed is None else "PackedSequence", "as the output")
        if packed is not None:
            if not np.array_equal(grad.batch_sizes, packed.batch_sizes):
                raise ValueError(f"batch_sizes of {name} are not those of the output")
            grad, name = grad.data, f"data of {name}"
        grad = self._place.array(name, grad, self.dtype)
        due, of = tape.output_shape, "the output"
        if state is not None:
            width = self._widths[self.config.state_names.index(state)]
            due, of = (*due[:-1], self.config.directions * width), f"{state} after every step"
        errors.check_grad_output(tuple(grad.shape), due, name, of)
        return grad if tape.form is None else tape.form.inner(grad)

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        del state["_engine"], state["_place"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._prepare()

    def __repr__(self) -> str:
        config = self.config
        changed = [
            f"{field.name}={getattr(config, field.name)}"
            for field in fields(config)[3:]
            if getattr(config, field.name) != field.default
        ]
        changed += [f"dropout={self.dropout}"] if self.dropout else []
        changed += [f"device={self.device!r}"] if self.device != "cpu" else []
        return f"{config.kind}({', '.join([str(config.input_size), str(config.hidden_size), *changed])})"
