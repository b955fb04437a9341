"""Everybody whom networks are trained on: measured and artist-made populations on the template, each with its modes.

Together they are no Gaussian. `training.make_people` writes the file.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True, eq=False)
class People:
    """A population on the template's vertices of `SHAPE_LEVEL`, mm.

    offset : (V, 3), its mean from the template; modes : (K, V, 3) for one standard deviation
    """

    name: str
    offset: np.ndarray
    modes: np.ndarray


def write(people: Iterable[People], out: Path) -> None:
    """All of them in one file, half precision."""
    arrays: dict[str, np.ndarray] = {}
    for each in people:
        arrays |= {f"{each.name}_offset": each.offset, f"{each.name}_modes": each.modes}
    out.parent.mkdir(parents=True, exist_ok=True)
    halves = {name: value.astype(np.float16) for name, value in arrays.items()}
    np.savez(out, **halves)  # type: ignore[arg-type]


def load(path: Path) -> tuple[People, ...]:
    """What `write` wrote."""
    with np.load(path, allow_pickle=False) as stored:
        names = [name.removesuffix("_modes") for name in stored.files if name.endswith("_modes")]
        return tuple(People(n, stored[f"{n}_offset"], stored[f"{n}_modes"]) for n in names)
