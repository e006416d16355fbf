"""Helpers for the tests of models: does one sample's output depend on another's input, a step's on a later one?

`assert_batch_independent` and `assert_causal` run a torch module, a fastlstm layer or any function of one array, and
show by gradients and by substitution. `reveal_shape` is the linter's question, answered at run time as well. Torch is
only needed for torch models.
"""

from .asserts import assert_batch_independent, assert_causal
from .dependence import Dependence, dependence
from .reveal import reveal_shape

__all__ = ["Dependence", "assert_batch_independent", "assert_causal", "dependence", "reveal_shape"]
