"""Layers from and to other libraries, whose rooms stand above this one: each is opened by name, on call."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any, Self

from numpy import ndarray

from .module import Module


def _interop(library: str) -> Any:
    """`fastlstm.interop.<library>`; says which extra is lacking where the library is not installed."""
    try:
        return import_module(f"fastlstm.interop.{library}")
    except ModuleNotFoundError as error:
        if error.name == library:
            error.add_note(f"pip install 'fastlstm[{library}]'")
        raise


class FromTorch(Module):
    """To and from the module of the same name in torch.nn."""

    @classmethod
    def from_torch(cls, module: Any) -> Self:
        """A layer with the configuration, dtype, training flag and a copy of the weights of a torch.nn module.

        The module must be torch.nn's class of the same name, or a subclass without a forward of its own. Weights may
        be parametrized and on any device. TypeError for another module; ValueError for a dtype other than float32 and
        float64.
        """
        return _interop("torch").read(cls, module)

    def to_torch(self) -> Any:
        """A torch.nn module of the same name with this layer's configuration, dtype, training flag and weights, on CPU.

        The weights are copied.
        """
        return _interop("torch").write(self)


class FromKeras(Module):
    """To and from the weights of a Keras layer."""

    @classmethod
    def from_keras_weights(
        cls,
        weights: Sequence[ndarray],
        *,
        num_layers: int = 1,
        bidirectional: bool = False,
        batch_first: bool = True,
        **options: Any,
    ) -> Self:
        """A layer from what `get_weights()` of Keras's LSTM, GRU or SimpleRNN gives.

        weights: for each layer, and in it for each direction (as `Bidirectional` has them), kernel (I, G*H),
        recurrent_kernel (H, G*H) and, unless use_bias=False, bias: (G*H,), for a GRU (2, 3*H). Sizes and dtype
        follow from them. `batch_first` as Keras has it; `options` are the constructor's others (nonlinearity,
        dropout).

        The layer computes what Keras's default activations compute, sigmoid and tanh, and a GRU what reset_after=True
        does; without a bias the arrays do not tell one GRU from the other. TypeError or ValueError for arrays that are
        no such weights.
        """
        return _interop("keras").read(cls, weights, num_layers, bidirectional, batch_first, options)

    def to_keras_weights(self) -> list[ndarray]:
        """The inverse: what `set_weights` of the Keras layer takes. An LSTM's and an RNN's two biases are added up.

        ValueError for an LSTM with a projection, which Keras does not have.
        """
        return _interop("keras").write(self)
