"""What torch's error messages mean for recurrent code, and the rules that find the cause before it runs.

`CAUSES` goes from the particular to the general: the first that fits is told.

* `cause.py`: the noun `Cause`, and how a message finds its own;
* `states.py`: inputs and states of layers and cells;
* `constructors.py`: constructors, modules and saved weights;
* `tuples.py`: pairs and packed sequences taken for tensors;
* `tensors.py`: products, joins, views, axes, indices;
* `rules_zh.py`: what the rules find, in Chinese;
* `training.py`: what comes after the layer: losses, element types, devices, gradients.
"""

from .cause import Cause, find
from .constructors import CONSTRUCTORS
from .rules_zh import SUMMARIES
from .states import STATES
from .tensors import TENSORS
from .training import TRAINING
from .tuples import TUPLES

CAUSES = (*STATES, *CONSTRUCTORS, *TUPLES, *TENSORS, *TRAINING)

__all__ = ["CAUSES", "SUMMARIES", "Cause", "find"]
