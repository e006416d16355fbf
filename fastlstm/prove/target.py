"""From `package.module:Model` or `model.py:Model` to an object that can be called."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

GUESSES: dict[str, Any] = {
    "input_size": 5, "input_dim": 5, "in_features": 5, "in_dim": 5, "n_features": 5, "num_features": 5, "embed": 5,
    "embedding_dim": 5, "embed_dim": 5, "emb_dim": 5, "embed_size": 5, "embedding_size": 5, "emb_size": 5, "emb": 5,
    "hidden_size": 6, "hidden_dim": 6, "hidden": 6, "n_hidden": 6, "hid_dim": 6, "num_hiddens": 6, "units": 6,
    "num_layers": 2, "n_layers": 2, "layers": 2, "num_classes": 3, "n_classes": 3, "classes": 3, "output_size": 3,
    "output_dim": 3, "out_features": 3, "out_dim": 3, "num_outputs": 3, "n_output": 3, "tags": 3, "tagset_size": 3,
    "vocab_size": 11, "vocab": 11, "n_vocab": 11, "vocabulary": 11, "num_embeddings": 11, "vocabulary_size": 11,
    "num_words": 11, "n_tokens": 11, "ntoken": 11, "dropout": 0.0, "dropout_rate": 0.0, "drop_prob": 0.0,
    "p": 0.0, "bidirectional": True, "batch_first": True, "d_model": 6, "nhead": 2, "n_head": 2,
    "num_heads": 2, "n_heads": 2,
}  # fmt: skip
"""Values for constructor arguments without a default, by the names that people give them. All sizes differ."""


class TargetError(Exception):
    """The target cannot be found, made or run; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a name leads to: a class, a function that makes a model, or a model; and the file it is written in."""

    name: str
    thing: Any
    file: Path | None


@dataclass(frozen=True, slots=True)
class Built:
    """A model, the call that made it (`Model(hidden_size=6)`), what of it was guessed, and its arguments by name."""

    model: Callable[..., Any]
    call: str
    guessed: tuple[str, ...]
    arguments: Mapping[str, Any] = field(default_factory=dict)


def find(text: str) -> Target:
    """Import the module or file before the last colon, and take the attribute after it. Runs the module's code."""
    place, _, name = text.rpartition(":")
    if not place or not all(part.isidentifier() for part in name.split(".")):
        raise TargetError(f"{text!r} is not MODULE:CLASS or FILE.py:CLASS")
    module = _load_file(Path(place)) if place.endswith(".py") else _load_module(place)
    thing: Any = module
    for part in name.split("."):
        if not hasattr(thing, part):
            models = [
                each for each, value in vars(module).items() if inspect.isclass(value) and hasattr(value, "forward")
            ]
            hint = f"; it has {', '.join(models)}" if models else ""
            raise TargetError(f"{place} has no {name}{hint}")
        thing = getattr(thing, part)
    file = getattr(module, "__file__", None)
    return Target(name, thing, None if file is None else Path(file))


def _load_module(name: str) -> Any:
    sys.path.insert(0, str(Path.cwd()))  # as `python -m` has it
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise TargetError(_missing(error, name)) from error
    except Exception as error:
        raise TargetError(f"importing {name} failed: {type(error).__name__}: {error}") from error


def _load_file(path: Path) -> Any:
    if not path.is_file():
        raise TargetError(f"no such file: {path}")
    sys.path.insert(0, str(path.parent.resolve()))  # as `python FILE` has it
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except ModuleNotFoundError as error:
        raise TargetError(_missing(error, str(path))) from error
    except (Exception, SystemExit) as error:
        raise TargetError(f"running {path} failed: {type(error).__name__}: {error}") from error
    return module


def _missing(error: ModuleNotFoundError, place: str) -> str:
    if error.name == "torch":
        return f"{place} imports torch, which is not installed: pip install torch"
    return f"importing {place} failed: {error}"


def build(target: Target, args: str | None = None, kwargs: str | None = None) -> Built:
    """Make the model. Arguments without a default that are not given are guessed by their names."""
    given = _literal("--args", args, (list, tuple), "[5, 6]")
    named = _literal("--kwargs", kwargs, dict, '{"hidden_size": 6}')
    thing = target.thing
    is_maker = inspect.isclass(thing) or inspect.isfunction(thing)
    if not is_maker:
        if given or named:
            raise TargetError(f"{target.name} is a {type(thing).__name__} already: it takes no --args or --kwargs")
        if not callable(thing):
            raise TargetError(f"{target.name} is a {type(thing).__name__}, not a model")
        return Built(thing, target.name, ())
    positional, keywords = list(given or ()), dict(named or {})
    guessed = _guess(thing, target.name, len(positional), keywords)
    keywords |= guessed
    call = f"{target.name}({', '.join([*map(repr, positional), *(f'{k}={v!r}' for k, v in keywords.items())])})"
    try:
        model = thing(*positional, **keywords)
    except Exception as error:
        raise TargetError(f"{call} failed: {type(error).__name__}: {error}") from error
    if not callable(model):
        raise TargetError(f"{call} gives a {type(model).__name__}, which cannot be called")
    return Built(model, call, tuple(guessed), _bound(thing, positional, keywords))


def _guess(thing: Any, name: str, positional: int, keywords: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    unknown: list[str] = []
    for parameter in _parameters(thing)[positional:]:
        required = parameter.default is parameter.empty and parameter.kind not in (
            parameter.VAR_POSITIONAL,
            parameter.VAR_KEYWORD,
        )
        if not required or parameter.name in keywords:
            continue
        if parameter.name.lower() in GUESSES:
            found[parameter.name] = GUESSES[parameter.name.lower()]
        else:
            unknown.append(parameter.name)
    if unknown:
        example = ", ".join(f'"{each}": ...' for each in unknown)
        raise TargetError(f"{name} needs {', '.join(unknown)}: give --kwargs '{{{example}}}'")
    return found


def _parameters(thing: Any) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(thing).parameters.values())
    except (TypeError, ValueError):
        return []


def _bound(thing: Any, positional: list[Any], keywords: Mapping[str, Any]) -> dict[str, Any]:
    """All arguments by name, defaults included."""
    try:
        bound = inspect.signature(thing).bind(*positional, **keywords)
    except (TypeError, ValueError):
        return dict(keywords)
    bound.apply_defaults()
    return dict(bound.arguments)


def _literal(option: str, text: str | None, kind: Any, example: str) -> Any:
    if text is None:
        return None
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError) as error:
        raise TargetError(f"{option} must be a literal, such as {example}") from error
    if not isinstance(value, kind):
        raise TargetError(f"{option} must be a literal, such as {example}, got {value!r}")
    return value


def seed(number: int) -> None:
    """Make the next model the same every time, whichever library draws its weights."""
    np.random.seed(number)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(number)
