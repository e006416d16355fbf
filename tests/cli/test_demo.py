"""`fastlstm demo`: each part reaches what it promises, and says so when it does not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from fastlstm.cli import demo as command
from fastlstm.cli import main
from fastlstm.demo import digits, letters, mistakes, speed
from fastlstm.demo.showing import Part, Showing


def unwatched(items: Iterable[Any], label: str, length: int | None = None) -> Iterable[Any]:
    return items


def test_digits_are_read() -> None:
    showing = digits.run(unwatched)
    assert showing.reached
    share = float(showing.line.split("%")[0]) / 100
    assert share >= 0.95


def test_digits_are_split_without_overlap() -> None:
    (images, labels), (held_images, held_labels) = digits.data()
    assert images.shape == (1348, 8, 8)
    assert held_images.shape == (449, 8, 8)
    assert images.dtype == np.float32
    assert 0 == images.min() < images.max() == 1
    seen = {image.tobytes() for image in images}
    assert not any(image.tobytes() in seen for image in held_images)
    assert set(labels) == set(held_labels) == set(range(10))


def test_an_untrained_classifier_does_not_reach_the_promise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digits, "EPOCHS", 0)
    assert not digits.run(unwatched).reached


def test_the_character_model_learns_english(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth of the demo's steps already brings the bits well under those of an alphabet drawn by frequency."""
    monkeypatch.setattr(letters, "STEPS", letters.STEPS // 10)
    showing = letters.run(unwatched)
    bits = float(showing.line.split()[0])
    whole = letters.text()
    _, counts = np.unique(list(whole), return_counts=True)
    shares = counts / counts.sum()
    by_frequency = -(shares * np.log2(shares)).sum()
    assert 1.5 < bits < by_frequency - 1
    [line] = showing.detail
    assert line.startswith('It writes: "The ')


def test_streams_carry_on_where_the_last_chunk_ended() -> None:
    tokens = np.arange(letters.STREAMS * (2 * letters.CHUNK + 7) + 3)
    source = letters.endless(tokens)
    chunks = [next(source) for _ in range(4)]
    assert [anew for _, anew in chunks] == [True, False, False, True]
    (first, _), (second, _), (third, _), (again, _) = chunks
    assert first.shape == (letters.CHUNK + 1, letters.STREAMS)
    np.testing.assert_array_equal(first[-1], second[0])
    np.testing.assert_array_equal(first[1:], first[:-1] + 1)
    assert len(third) == 7
    np.testing.assert_array_equal(again, first)


def test_bits_are_those_of_the_definition() -> None:
    model = letters.CharacterModel("abc", seed=3)
    tokens = model.encode("abcabbca?c" * 90)
    assert len(tokens) == 810
    logits, _ = model.logits(tokens[:-1, None], None)
    chances = np.exp(logits[:, 0]) / np.exp(logits[:, 0]).sum(1, keepdims=True)
    expected = -np.log2(chances[np.arange(len(tokens) - 1), tokens[1:]]).mean()
    assert model.bits(tokens) == pytest.approx(expected, rel=1e-4)


def test_three_planted_mistakes_are_found_and_the_repaired_model_is_clean() -> None:
    showing = mistakes.run(unwatched)
    assert showing.reached, showing
    assert showing.line.startswith("3 of 3 planted mistakes found")
    assert "model.py:" in "\n".join(showing.detail)
    repaired = (
        mistakes.PLANTED.replace(", dropout=0.2", "")
        .replace("x.size(0), 1, 64", "1, x.size(0), 64")
        .replace("output[-1]", "output[:, -1]")
    )
    assert mistakes.lint(repaired)[0] == []


def test_the_planted_mistakes_are_real(tmp_path: Any) -> None:
    """torch refuses the initial state; with that repaired it trains on the wrong sample in silence."""
    import torch

    scope: dict[str, Any] = {}
    exec(
        mistakes.PLANTED.replace("nn.LSTM(32, 64, batch_first=True, dropout=0.2)", "nn.LSTM(32, 64, batch_first=True)"),
        scope,
    )
    x = torch.randn(3, 7, 32)
    with pytest.raises(RuntimeError, match="Expected hidden"):
        scope["Tagger"]()(x)
    with pytest.warns(UserWarning, match="dropout option adds dropout after all but last"):
        torch.nn.LSTM(32, 64, batch_first=True, dropout=0.2)


def test_speed_beside_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "ROUNDS", 1)
    monkeypatch.setattr(speed, "SECONDS", 0.005)
    showing = speed.run(unwatched)
    assert showing.reached
    assert len(showing.detail) == len(speed.ROWS)
    assert f"of {len(speed.ROWS)} layers faster than torch" in showing.line


PARTS = {
    "good": Part("A good part", lambda watch: Showing("it worked.", detail=["more"])),
    "bad": Part("A bad part", lambda watch: Showing("it did not.", reached=False)),
    "absent": Part("An absent part", lambda watch: Showing("never said"), lambda: "a thing: pip install thing"),
}


@pytest.mark.parametrize(
    ("names", "code", "expected"),
    [
        (("good",), 0, ["1. A good part", "   more", "   it worked."]),
        (("good", "bad"), 1, ["2. A bad part", "   it did not.", "A part did not reach what it promises."]),
        (("absent", "good"), 0, ["   Left out: it needs a thing: pip install thing", "2. A good part"]),
    ],
)
def test_the_command_tells_what_each_part_showed(
    monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...], code: int, expected: list[str]
) -> None:
    monkeypatch.setattr(command, "PARTS", names)
    monkeypatch.setattr(command, "load", PARTS.__getitem__)
    shown = CliRunner().invoke(main, ["demo"])
    assert shown.exit_code == code
    assert [line for line in expected if line not in shown.output.splitlines()] == []
    assert "never said" not in shown.output


def test_every_part_of_the_command_is_a_part() -> None:
    assert [command.load(name).title for name in command.PARTS]
    assert all(isinstance(command.load(name), Part) for name in command.PARTS)


def test_parts_say_what_they_lack(monkeypatch: pytest.MonkeyPatch) -> None:
    for part, module in ((digits, "sklearn"), (speed, "torch")):
        assert part.missing() is None
        monkeypatch.setattr(part, "find_spec", lambda name, absent=module: None if name == absent else object())
        assert "pip install" in str(part.missing())
