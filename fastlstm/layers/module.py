"""What everything with parameters has in common: names, gradients, train and eval, state_dict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

import numpy as np
from numpy import ndarray

from ..errors import refuse_type
from .arrays import plain, read_only
from .storage import Stored


class Module:
    """Named parameters and their gradients.

    A parameter is read as an attribute, `lstm.weight_ih_l0`, which gives a read-only view, and changed by assigning to
    it, by `load_state_dict` or by an optimiser; nothing can change unseen, so a kernel may keep its own copy in its own
    order. `grad` maps the names to gradients: empty at first and after `zero_grad`, and every `backward` adds to it.

    `training` is True at first: a forward then keeps what `backward` needs (in `tape`). Call `eval()` to run only.
    A module may be pickled and deep-copied; the tape stays behind.
    """

    training: bool
    grad: dict[str, ndarray]
    tape: Any
    _parameters: dict[str, ndarray]
    _version: int  # grows when a parameter changes, and only then
    _rng: np.random.Generator

    def __init__(self, parameters: Mapping[str, ndarray], seed: int | np.random.Generator | None) -> None:
        """Takes the arrays of `parameters` as its own. `seed` is for what the module draws itself (dropout)."""
        fields = vars(self)  # past __setattr__, which looks at _parameters
        fields["_parameters"] = dict(parameters)
        fields["_version"] = 0
        fields["_rng"] = np.random.default_rng(seed)
        fields["training"] = True
        fields["grad"] = {}
        fields["tape"] = None

    def train(self, mode: bool = True) -> Self:
        """Keep what `backward` needs, and drop out where there is dropout."""
        self.training = mode
        return self

    def eval(self) -> Self:
        """Only run. Also forgets the tape."""
        self.tape = None
        return self.train(False)

    def zero_grad(self) -> None:
        """Forget the gradients."""
        self.grad.clear()

    def state_dict(self, prefix: str = "") -> dict[str, ndarray]:
        """Copies of the parameters by torch's names, each name after `prefix`."""
        return {prefix + name: value.copy() for name, value in self._parameters.items()}

    def load_state_dict(self, state: Mapping[str, Any], prefix: str = "") -> None:
        """Copy the parameters in. NumPy arrays or torch tensors of any float dtype, by torch's names after `prefix`.

        With a prefix, names that do not begin with it belong to others. TypeError for what is no mapping of names to
        arrays, KeyError for a missing or unexpected name, ValueError for a wrong shape or dtype, and then nothing has
        changed.
        """
        if not isinstance(state, Mapping):
            refuse_type("state", state, "state_dict", "load_state_dict(fastlstm.load(path))")
        for name in state:
            if not isinstance(name, str):
                refuse_type(f"the name {name!r} in state", name, "str")
        given = {name.removeprefix(prefix) for name in state if name.startswith(prefix)}
        missing = [prefix + name for name in self._parameters if name not in given]
        unexpected = [name for name in state if name.startswith(prefix) and name[len(prefix) :] not in self._parameters]
        if missing or unexpected:
            raise KeyError(_Told(f"state_dict of another layer than {self!r}: {_difference(missing, unexpected)}"))
        for name, shape in state.shapes.items() if isinstance(state, Stored) else ():  # before anything is read
            if name.startswith(prefix):
                _check_shape(name, shape, self._parameters[name.removeprefix(prefix)])
        values = {
            name: self._checked(prefix + name, state[prefix + name], mine) for name, mine in self._parameters.items()
        }
        for name, value in values.items():
            self._parameters[name][...] = value
        self._version += 1

    @staticmethod
    def _checked(name: str, value: Any, mine: ndarray) -> ndarray:
        """`value` as an array that may be copied into `mine`."""
        if hasattr(value, "detach"):  # a torch tensor; by double, since NumPy has no bfloat16
            _check_shape(name, tuple(value.shape), mine)
            try:
                value = value.detach().cpu().double().numpy()
            except (RuntimeError, TypeError) as error:  # sparse, quantized, or on the meta device
                raise ValueError(f"{name} cannot be read: {error}") from error
        value = plain(name, value, "numpy array or torch tensor")
        if value.dtype.name == "bfloat16":  # of ml_dtypes
            value = value.astype(np.float32)
        if value.dtype.kind != "f":
            raise ValueError(f"{name} is {value.dtype}, expected a float dtype")
        _check_shape(name, value.shape, mine)
        return value

    def _keep(self, tape: Any) -> None:
        """Set `tape` past __setattr__, which costs 0.3 us."""
        self.__dict__["tape"] = tape

    def _edit(self) -> dict[str, ndarray]:
        """The parameters themselves, for an optimiser to write into; counts as a change of all of them."""
        self._version += 1
        return self._parameters

    def _accumulate(self, grads: Mapping[str, ndarray]) -> None:
        """Add to `grad`; takes the arrays of `grads` as its own."""
        for name, value in grads.items():
            if name in self.grad:
                self.grad[name] += value
            else:
                self.grad[name] = value

    def __getattr__(self, name: str) -> ndarray:
        """A read-only view of a parameter. Python asks here only for what is no ordinary attribute."""
        parameters = vars(self).get("_parameters", {})
        if name not in parameters:
            raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}", name=name, obj=self)
        return read_only(parameters[name])

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self._parameters:
            self._parameters[name][...] = self._checked(name, value, self._parameters[name])
            self._version += 1
        else:
            super().__setattr__(name, value)

    def __dir__(self) -> Iterable[str]:
        return [*super().__dir__(), *self._parameters]

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"tape": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)


class _Told(str):
    """A message that a KeyError shows as it is: of an ordinary str it shows the repr."""

    def __repr__(self) -> str:
        return str(self)


def _difference(missing: list[str], unexpected: list[str]) -> str:
    """Which names are not there, and which should not be, the first ten of each."""
    lists = (("missing", missing), ("unexpected", unexpected))
    found = "; ".join(
        f"{word} {', '.join(names[:10])}" + (f" and {len(names) - 10} more" if len(names) > 10 else "")
        for word, names in lists
        if names
    )
    ends = {name.rpartition(".")[2] for name in unexpected}
    return found + (" (is a prefix missing?)" if missing and (not unexpected or ends & set(missing)) else "")


def _check_shape(name: str, shape: tuple[int, ...], mine: ndarray) -> None:
    if shape != mine.shape:
        raise ValueError(f"{name} has shape {shape}, expected {mine.shape}")


def uniform(
    shapes: Mapping[str, tuple[int, ...]], bound: float, dtype: np.dtype, seed: int | np.random.Generator | None
) -> dict[str, ndarray]:
    """Arrays of these names and shapes, uniform in -bound..bound: torch's initialisation, with other random numbers."""
    rng = np.random.default_rng(seed)
    return {name: rng.uniform(-bound, bound, shape).astype(dtype) for name, shape in shapes.items()}
