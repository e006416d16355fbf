"""Random programs of torch calls, by seed: each line is run as it is written, so that most of the next ones fit."""

from __future__ import annotations

import random
import re
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch

HEADER = """import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence
"""

Template = Callable[["Maker"], str | None]

TEMPLATES: list[tuple[int, Template]] = []


def often(weight: int) -> Callable[[Template], Template]:
    """Register a kind of statement with the weight with which it is drawn."""

    def register(template: Template) -> Template:
        TEMPLATES.append((weight, template))
        return template

    return register


class Maker:
    """One program in the making: its lines are run as they are written, so that most of them can be made to fit."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.names: dict[str, Any] = {}
        self.lines: list[str] = []
        self.careless = self.random.choice([0.02, 0.05, 0.12])
        exec(HEADER, self.names)

    def write(self, first: Sequence[Template]) -> str:
        """The whole program, begun with one statement of each kind in `first`. It ends where torch raises."""
        wanted = self.random.randint(4, 14)
        weights = [weight for weight, _ in TEMPLATES]
        alive = all(self.run(template(self) or "") for template in first)
        tries = 0
        while alive and len(self.lines) < wanted and tries < 200:
            tries += 1
            (_, template), *_ = self.random.choices(TEMPLATES, weights)
            text = template(self)
            if text is not None:
                alive = self.run(text)
        if not alive and self.random.random() < 0.3:
            self.lines.append("print(rnn)")
        return self.text

    @property
    def text(self) -> str:
        """The program as far as it is written."""
        return HEADER + "\n".join(self.lines) + "\n"

    def run(self, text: str) -> bool:
        """Add a statement and run it; False where torch raises."""
        self.lines += text.splitlines()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                exec(text, self.names)
            except Exception:
                return False
        return True

    def maybe(self, chance: float = 0.5) -> bool:
        return self.random.random() < chance

    @property
    def slips(self) -> bool:
        """Whether this choice is made without care."""
        return self.maybe(self.careless)

    def any(self, *items: Any) -> Any:
        return self.random.choice(items)

    def size(self) -> int:
        """A size: mostly one that the program has already."""
        seen = [size for value in self.tensors().values() for size in value.shape]
        if seen and self.maybe(0.6):
            return int(self.random.choice(seen))
        return self.random.choice([1, 2, 2, 3, 3, 4, 4, 5, 6, 7, 8])

    def sizes(self, rank: int) -> list[int]:
        return [self.size() for _ in range(rank)]

    def tensors(self, fits: Callable[[torch.Tensor], bool] | None = None) -> dict[str, torch.Tensor]:
        found = {name: value for name, value in self.names.items() if isinstance(value, torch.Tensor)}
        if fits is None or self.slips:
            return found
        return {name: value for name, value in found.items() if fits(value)}

    def tensor(self, fits: Callable[[torch.Tensor], bool] | None = None) -> str | None:
        """The name of a tensor that fits; the later ones are likelier."""
        found = list(self.tensors(fits))
        if not found:
            return None
        return found[-1] if self.maybe(0.4) else self.random.choice(found)

    def modules(self, *kinds: type) -> list[str]:
        return [name for name, value in self.names.items() if isinstance(value, kinds)]

    def target(self) -> str:
        """A name to bind: mostly a new one."""
        found = list(self.tensors())
        if found and self.maybe(0.25):
            return str(self.random.choice(found))
        number = sum(re.fullmatch(r"[a-z]\d+", name) is not None for name in self.names)
        return f"{self.random.choice('abxyz')}{number}"

    def dim(self, rank: int, extra: int = 0) -> int:
        span = max(rank + extra, 1) + (1 if self.slips else 0)
        return self.random.randrange(-span, span)

    def let(self, value: str | None) -> str | None:
        return None if value is None else f"{self.target()} = {value}"


def listed(items: list[Any] | tuple[Any, ...]) -> str:
    return ", ".join(str(item) for item in items)


def floats(value: torch.Tensor) -> bool:
    return value.dtype == torch.float32


def has(*ranks: int) -> Callable[[torch.Tensor], bool]:
    return lambda value: value.dim() in ranks and floats(value)
