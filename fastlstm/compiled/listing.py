"""What the store holds, place by place."""

from __future__ import annotations

from dataclasses import dataclass, field

from fastlstm.compiled import file
from fastlstm.compiled.made import Unit, made
from fastlstm.compiled.places import Place, places
from fastlstm.compiled.trust import strange_folder


@dataclass
class Listed:
    """A place: what of it serves this process, how many files are for others, which are none, and what is against it.

    size: bytes of all files.
    """

    place: Place
    serves: list[str] = field(default_factory=list)
    others: int = 0
    bad: list[str] = field(default_factory=list)
    size: int = 0
    reason: str | None = None


def listing() -> list[Listed]:
    """Every place, in the order in which they are asked."""
    return [_listed(place) for place in places()]


def _listed(place: Place) -> Listed:
    found = Listed(place)
    try:
        paths = sorted(path for path in place.folder.iterdir() if path.suffix == ".code" and path.name[0] != ".")
        found.reason = None if place.shipped else strange_folder(place.folder)
    except OSError as error:
        found.reason = "not there yet" if isinstance(error, FileNotFoundError) else error.strerror
        return found
    for path in paths:
        try:
            found.size += path.lstat().st_size
            told = file.header(path)
            unit = _unit(told)
            if unit is None:
                found.others += 1
            elif file.read(path, made(unit), place.shipped) is not None:
                found.serves.append(str(unit))
        except file.MadeOfOther:
            found.others += 1
        except file.Unusable as reason:
            found.bad.append(f"{path.name}: {reason}")
        except OSError as error:
            found.bad.append(f"{path.name}: {error.strerror}")
    return found


def _unit(told: object) -> Unit | None:
    if not isinstance(told, dict):
        return None
    words = [told.get(name) for name in ("name", "dtype", "cell")]
    return Unit(*words) if all(isinstance(word, str) for word in words) else None  # type: ignore[arg-type]
