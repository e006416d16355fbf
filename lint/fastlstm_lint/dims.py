"""Symbolic sizes: polynomials with integer coefficients over named symbols.

A size is a `Dim`. Its form is canonical, so that `2*hidden` written in two ways compares equal, and a division is exact
or unknown. Every symbol stands for a positive integer, which is what makes `H` and `2*H` provably different.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache, reduce
from operator import mul


class Symbol:
    """One unknown positive integer. Two symbols are equal only when they are the same object.

    `name` says where it comes from, `alias` is the variable that holds it; `default` is the value of a default
    argument; `meaning` is the axis it measures (batch, time ...), learnt at most once from the data flow.
    """

    __slots__ = ("alias", "default", "meaning", "name")

    def __init__(self, name: str, default: int | None = None, meaning: str | None = None) -> None:
        self.name = name
        self.default = default
        self.meaning = meaning
        self.alias: str | None = None

    def __repr__(self) -> str:
        return f"Symbol({self.name!r})"


class Invented(Symbol):
    """A size of which the program says nothing: its name is a word for messages only."""

    __slots__ = ()


Monomial = tuple[Symbol, ...]  # sorted by identity; () is the constant term

MOST_TERMS, MOST_FACTORS, LARGEST = 64, 16, 2**63
"""Terms of a sum, symbols of a product, and the end of the numbers. A size with more is one of which nothing is known:
no tensor has it, and repeated squaring would otherwise fill the memory."""


@lru_cache(1024)
def _number(value: int) -> Dim:
    return Dim({(): value})


class Dim:
    """A size: `int` and `Dim` operands may be mixed with `+ - *`; `exact_div` and `floor_div` divide."""

    __slots__ = ("_hash", "terms", "value")

    terms: dict[Monomial, int]

    value: int | None
    """The number, where the size is one."""

    def __init__(self, terms: dict[Monomial, int]) -> None:
        self._hash: int | None = None
        kept: dict[Monomial, int] = {}
        for monomial, count in terms.items():
            if count:
                kept[monomial] = count
                if len(monomial) > MOST_FACTORS or not -LARGEST < count < LARGEST or len(kept) > MOST_TERMS:
                    kept = {(Invented("?"),): 1}
                    break
        self.terms = kept
        self.value = 0 if not kept else kept.get(()) if len(kept) == 1 else None

    @staticmethod
    def of(value: int | Symbol | Dim) -> Dim:
        """The size of an int, a symbol or another size."""
        if value.__class__ is Dim:
            return value
        if isinstance(value, Symbol):
            return Dim({(value,): 1})
        return _number(int(value))  # type: ignore[arg-type]

    @property
    def symbol(self) -> Symbol | None:
        """The symbol, where the size is exactly one symbol."""
        if self.value is None and len(self.terms) == 1:
            ((monomial, count),) = self.terms.items()
            if count == 1 and len(monomial) == 1:
                return monomial[0]
        return None

    def symbols(self) -> set[Symbol]:
        """Every symbol that occurs."""
        return {symbol for monomial in self.terms for symbol in monomial}

    def at_one(self, symbols: frozenset[Symbol]) -> Dim:
        """The size where each of these symbols is 1."""
        if not symbols or symbols.isdisjoint(self.symbols()):
            return self
        terms: dict[Monomial, int] = {}
        for monomial, count in self.terms.items():
            rest = tuple(symbol for symbol in monomial if symbol not in symbols)
            terms[rest] = terms.get(rest, 0) + count
        return Dim(terms)

    def default(self) -> int | None:
        """The number under the default arguments of the program, where all symbols have one."""
        total = 0
        for monomial, count in self.terms.items():
            for symbol in monomial:
                if symbol.default is None:
                    return None
                count *= symbol.default
            total += count
        return total

    def __add__(self, other: int | Dim) -> Dim:
        other = Dim.of(other)
        if self.value is not None and other.value is not None:
            return _number(self.value + other.value)
        terms = dict(self.terms)
        for monomial, count in other.terms.items():
            terms[monomial] = terms.get(monomial, 0) + count
        return Dim(terms)

    __radd__ = __add__

    def __neg__(self) -> Dim:
        return Dim({monomial: -count for monomial, count in self.terms.items()})

    def __sub__(self, other: int | Dim) -> Dim:
        other = Dim.of(other)
        if self.value is not None and other.value is not None:
            return _number(self.value - other.value)
        terms = dict(self.terms)
        for monomial, count in other.terms.items():
            terms[monomial] = terms.get(monomial, 0) - count
        return Dim(terms)

    def __rsub__(self, other: int | Dim) -> Dim:
        return Dim.of(other) - self

    def __mul__(self, other: int | Dim) -> Dim:
        other = Dim.of(other)
        if other.value == 1:
            return self
        if self.value is not None:
            if self.value == 1:
                return other
            if other.value is not None:
                return _number(self.value * other.value)
        terms: dict[Monomial, int] = {}
        for left, a in self.terms.items():
            for right, b in other.terms.items():
                monomial = tuple(sorted(left + right, key=id))
                terms[monomial] = terms.get(monomial, 0) + a * b
        return Dim(terms)

    __rmul__ = __mul__

    def exact_div(self, other: int | Dim) -> Dim | None:
        """The quotient where the division leaves nothing, else None."""
        divisor = Dim.of(other)
        if divisor.value == 1:
            return self
        if self == divisor and divisor.terms:
            return ONE
        if len(divisor.terms) != 1:
            return None
        ((below, by),) = divisor.terms.items()
        terms: dict[Monomial, int] = {}
        for monomial, count in self.terms.items():
            rest = list(monomial)
            for symbol in below:
                if symbol not in rest:
                    return None
                rest.remove(symbol)
            if count % by:
                return None
            terms[tuple(rest)] = count // by
        return Dim(terms)

    def floor_div(self, other: int | Dim) -> Dim | None:
        """Python's `//`: exact where it can be, the number where both are numbers, else None."""
        exact = self.exact_div(other)
        if exact is not None:
            return exact
        a, b = self.value, Dim.of(other).value
        return Dim.of(a // b) if a is not None and b else None

    def __eq__(self, other: object) -> bool:
        if other.__class__ is Dim:
            return self.terms == other.terms
        return isinstance(other, int) and self.value == other

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(frozenset(self.terms.items()))
        return self._hash

    def __str__(self) -> str:
        if not self.terms:
            return "0"
        ordered = sorted(self.terms.items(), key=lambda term: (not term[0], [symbol.name for symbol in term[0]]))
        text = " + ".join(_term(monomial, count) for monomial, count in ordered)
        return text.replace("+ -", "- ")

    __repr__ = __str__


def _term(monomial: Monomial, count: int) -> str:
    names = sorted(symbol.name for symbol in monomial)
    if count != 1 or not names:
        names.insert(0, str(count))
    return "*".join(names)


ONE = Dim.of(1)


def product(dims: Iterable[Dim]) -> Dim:
    """The product of sizes; 1 for none."""
    return reduce(mul, dims, ONE)


def never_equal(a: Dim, b: Dim) -> bool:
    """Whether the two sizes differ whatever positive values the symbols take."""
    if a is b:
        return False
    if a.value is not None and b.value is not None:
        return a.value != b.value
    terms = (a - b).terms
    counts = [count for monomial, count in terms.items() if monomial]
    # With symbols of at least 1, a sum that only grows is least, and one that only falls greatest, where all are 1.
    least = sum(terms.values())
    if all(count > 0 for count in counts) and least > 0:
        return True
    return all(count < 0 for count in counts) and least < 0


def more_than_one(size: Dim) -> bool | None:
    """Whether a size is above 1: True, False, or None where it cannot be told. Default arguments count."""
    number = size.value if size.value is not None else size.default()
    if number is not None:
        return number > 1
    # With symbols of at least 1, the smallest value is the sum of the coefficients if none is negative.
    if all(count > 0 for count in size.terms.values()) and sum(size.terms.values()) > 1:
        return True
    return None


def words(text: str) -> tuple[str, ...]:
    """The words of a text, for tables of names."""
    return tuple(text.split())
