"""The linter for recurrent code: finds wrong axes in PyTorch programs without running them.

`check_source(source, path)` gives the findings in a program's text. This package loads neither numba, numpy nor torch,
and its rules only when there is something to parse.
"""

from .config import Settings
from .engine import check_source
from .finding import Edit, Finding, Fix, Place

__all__ = ["Edit", "Finding", "Fix", "Place", "Settings", "check_source"]
