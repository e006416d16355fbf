"""The linter for recurrent code: finds wrong axes in PyTorch programs without running them.

`check_source(source, path)` gives the findings in a program's text. This package loads neither numba, numpy nor torch,
and its rules only when there is something to parse.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .config import Settings
    from .engine import check_source
    from .finding import Edit, Finding, Fix, Place

__all__ = ["Edit", "Finding", "Fix", "Place", "Settings", "check_source"]


def __getattr__(name: str) -> Any:
    """What is behind the door, when it is first asked for: whoever wants `fastlstm_lint.contract` wants no engine."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    room = {"Settings": "config", "check_source": "engine"}.get(name, "finding")
    value = globals()[name] = getattr(import_module(f"{__name__}.{room}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
