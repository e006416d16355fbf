"""Symbolic sizes."""

from __future__ import annotations

from fastlstm_lint.dims import Dim, Symbol, more_than_one, never_equal

H, L = Dim.of(Symbol("H")), Dim.of(Symbol("L", default=2))


def test_the_same_polynomial_written_in_two_ways_is_equal() -> None:
    assert 2 * H * L + H == H + L * (H + H)
    assert (H + 1) * (H - 1) == H * H - 1
    assert hash(2 * H) == hash(H + H)


def test_symbols_are_equal_only_to_themselves() -> None:
    assert Dim.of(Symbol("H")) != H


def test_division_is_exact_or_unknown() -> None:
    assert (6 * H * L).exact_div(2 * H) == 3 * L
    assert (H + 1).exact_div(H) is None
    assert (3 * H).exact_div(2) is None
    assert (H + 1).exact_div(H + 1) == 1
    assert Dim.of(7).floor_div(2) == 3
    assert H.floor_div(2) is None


def test_sizes_are_positive_so_a_multiple_is_never_equal() -> None:
    assert never_equal(2 * H, H)
    assert never_equal(H + 1, H)
    assert not never_equal(H, L)
    assert not never_equal(H, Dim.of(5))
    assert never_equal(Dim.of(4), Dim.of(5))


def test_defaults_tell_whether_there_is_more_than_one() -> None:
    assert more_than_one(L) is True
    assert more_than_one(Dim.of(1)) is False
    assert more_than_one(H) is None
    assert more_than_one(2 * H) is True


def test_a_size_prints_as_a_person_would_write_it() -> None:
    assert str(2 * H + 1) == "2*H + 1"
    assert str(H - 1) == "H - 1"
