"""A size of which only the text is known, as in `nn.LSTM(n_in, 2 * hidden)` pasted from a program."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Named:
    """A size as it is written. With `*` and `+`, which is what `fastlstm_lint.contract` asks of a size."""

    text: str

    def __str__(self) -> str:
        return self.text

    def __mul__(self, other: object) -> Named:
        if other == 1:
            return self
        number, rest = self.text.partition("*")[::2]
        if isinstance(other, int) and number.isdecimal() and rest:
            return Named(f"{other * int(number)}*{rest}")
        return Named(f"{_factor(other)}*{_factor(self)}")

    __rmul__ = __mul__

    def __add__(self, other: object) -> Named:
        return Named(f"{self} + {other}")

    __radd__ = __add__


def _factor(size: object) -> str:
    text = str(size)
    return f"({text})" if any(sign in text for sign in "+-/") else text
