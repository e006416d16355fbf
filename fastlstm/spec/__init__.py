"""What a recurrent cell is, as data: traced from its step once, derived backwards once, read by every engine.

* `graph.py`: expressions, each common subexpression once, and their evaluation with any `math`;
* `trace.py`: a user's step run on symbols;
* `derive.py`: the gradients of a step, as expressions;
* `keep.py`: which values a training step stores for its backward pass, and which are computed again;
* `cell.py`: the noun `Cell` and the decorator `cell`;
* `canonical.py`: one cell for all that compute the same;
* `plain.py`: a cell without a product in place of a diagonal one;
* `stack.py`: a stack of layers of one cell: names and shapes of parameters, inputs and states;
* `call.py`: what one call is, beside its data, and the gradients of its results;
* `engine.py`: the calls that whatever computes a stack answers;
* `checked.py`: a stack from the arguments of a constructor, or what is wrong with them.

Standard library only.
"""

from .call import INFERENCE, TRAINING, Call, Grads, usual
from .cell import Cell, cell
from .engine import Engine
from .stack import Stack
from .symbols import CellError

__all__ = ["INFERENCE", "TRAINING", "Call", "Cell", "CellError", "Engine", "Grads", "Stack", "cell", "usual"]
