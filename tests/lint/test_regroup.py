"""A reshape regroups the parts of the axes."""

from __future__ import annotations

from fastlstm_lint.dims import Dim, Symbol
from fastlstm_lint.signatures.views import infer, regroup
from fastlstm_lint.values import Axis, Part

B, T, H = (Dim.of(Symbol(name)) for name in "BTH")
OUTPUT = [Part(B, "batch"), Part(T, "time"), Part(Dim.of(2), "direction"), Part(H, "feature")]


def meanings(axes: tuple[Axis, ...] | None) -> list[tuple[str | None, ...]] | None:
    return None if axes is None else [axis.meaning for axis in axes]


def test_the_directions_of_an_output_can_be_separated() -> None:
    assert meanings(regroup(OUTPUT, [B, T, Dim.of(2), H])) == [("batch",), ("time",), ("direction",), ("feature",)]


def test_neighbouring_axes_merge() -> None:
    assert meanings(regroup(OUTPUT, [B * T, 2 * H])) == [("batch", "time"), ("direction", "feature")]


def test_exchanged_axes_do_not_regroup() -> None:
    assert regroup(OUTPUT, [T, B, 2 * H]) is None


def test_an_axis_may_be_split_and_ones_put_in() -> None:
    parts = [Part(B, "batch"), Part(Dim.of(12), "feature")]
    assert meanings(regroup(parts, [B, Dim.of(1), Dim.of(3), Dim.of(4)])) == [
        ("batch",),
        (None,),
        ("feature",),
        ("feature",),
    ]


def test_minus_one_is_worked_out_where_it_divides() -> None:
    assert infer(B * T * H, [B, Dim.of(-1)]) == (B, T * H)
    assert infer(B * T, [H, Dim.of(-1)]) == (H, None)
