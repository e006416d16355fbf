"""Help below the traceback of a shape error: `fastlstm.explain_errors()`, and `%load_ext fastlstm` in a notebook.

* `frames.py`: the program's own frames of a traceback, and the shapes of the values at hand there;
* `help.py`: cause, change, rule and shapes as text;
* `hook.py`: `explain_errors`, for programs;
* `notebook.py`: the extension of IPython, with `%%shapes`.

Nothing here raises or hides an error: where there is nothing to say, or saying it fails, nothing is printed.
"""

from .hook import explain_errors
from .notebook import load_ipython_extension, unload_ipython_extension

__all__ = ["explain_errors", "load_ipython_extension", "unload_ipython_extension"]
