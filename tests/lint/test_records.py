"""Records behave as the dataclasses that the type checker takes them for."""

from __future__ import annotations

import pickle

import pytest
from fastlstm_lint.records import changing, equal_record, field, record, replace


class Base:
    __slots__ = ()
    weight = 1


@record
class Fact(Base):
    node: object
    where: str = "here"


@record
class Called(Fact):
    name: str = ""
    weight: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", len(self.name))


@equal_record
class Pair:
    first: int
    second: str | None = None


@changing
class Frame:
    names: dict[str, int] = field(default_factory=dict)
    alive: bool = True


def test_fields_are_arguments_the_bases_first_and_have_slots() -> None:
    fact = Called(None, "there", "view")
    assert (fact.node, fact.where, fact.name, fact.weight) == (None, "there", "view", 4)
    assert Called(node=1).where == "here"
    assert not hasattr(fact, "__dict__")
    assert Fact(1) != Fact(1)
    for wrong in ((), (1, 2, 3, 4)):
        with pytest.raises(TypeError, match=r"__init__\(\) (missing|takes)"):
            Called(*wrong)  # type: ignore[arg-type]


def test_equal_records_are_equal_where_what_they_hold_is() -> None:
    assert Pair(1, "a") == Pair(1, "a") != Pair(1)
    assert len({Pair(1, "a"), Pair(1, "a"), Pair(2)}) == 2
    assert Pair(1) != (1, None)


def test_a_default_is_made_anew_for_each_object() -> None:
    one, two = Frame(), Frame()
    one.names["x"] = 1
    one.alive = False
    assert (two.names, two.alive, Frame({"y": 2}).names) == ({}, True, {"y": 2})


def test_a_replaced_record_is_another_one_with_what_it_works_out() -> None:
    old = Called(1, "there", "view")
    new = replace(old, name="reshape")
    assert (new.node, new.where, new.weight, old.weight) == (1, "there", 7, 4)
    with pytest.raises(TypeError):
        replace(old, nothing=1)


def test_records_go_from_process_to_process() -> None:
    assert pickle.loads(pickle.dumps(Pair(1, "a"))) == Pair(1, "a")
