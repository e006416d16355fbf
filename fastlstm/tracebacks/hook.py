"""`explain_errors`: what is printed below the traceback that ends a program."""

from __future__ import annotations

import contextlib
import sys
from types import TracebackType
from typing import Any

from fastlstm_lint.explain.words import Lang

from fastlstm.tracebacks.help import help_for


class ErrorHelp:
    """The help as it is installed. `restore()`, or the end of a `with` block, takes it away."""

    def __init__(self, lang: Lang) -> None:
        self.lang = lang
        self.before = sys.excepthook
        self.active = True
        sys.excepthook = self

    def __call__(self, kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        """What Python calls for an error that nobody caught: the traceback as before, then the help."""
        self.before(kind, error, traceback)
        if self.active:
            tell(error, self.lang)

    def restore(self) -> None:
        """Put the hook back that was there before; where another has been put on ours since, only fall silent."""
        self.active = False
        if sys.excepthook is self:
            sys.excepthook = self.before

    def __enter__(self) -> ErrorHelp:
        return self

    def __exit__(self, *_: Any) -> None:
        self.restore()


def explain_errors(lang: Lang = "en") -> ErrorHelp:
    """Print cause and change below the traceback of a torch shape error, with the shapes of the values at hand.

    >>> help = fastlstm.explain_errors()  # also explain_errors("zh")
    >>> help.restore()

    For programs: it is for errors that nobody catches. Called again, it only changes the language. In IPython and
    notebooks `%load_ext fastlstm` does the same. The traceback stays as it is, and nothing is raised.
    """
    if lang not in ("en", "zh"):
        raise ValueError(f"lang is {lang!r}, expected 'en' or 'zh'")
    if isinstance(sys.excepthook, ErrorHelp):
        sys.excepthook.lang = lang
        return sys.excepthook
    return ErrorHelp(lang)


def tell(error: BaseException, lang: Lang, cells: tuple[str, ...] = ()) -> None:
    """Print the help for an error on standard error, if there is any. Does not raise."""
    text = help_for(error, lang, cells)
    if text:
        with contextlib.suppress(Exception):  # a closed or narrow-minded standard error
            print(text, file=sys.stderr, flush=True)
