"""Movements of the face: expressions on a coarse level of the template, with weights between 0 and 1."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np

from facecom.geometry.mesh import Floats, read_only
from facecom.model.storage import StorageFormat, matching, read_stored, write_stored

KIND = StorageFormat("facecom-expressions", 1)
CREDIT = "ICT-FaceKit (USC Institute for Creative Technologies), MIT licence: expression modes"


@dataclass(frozen=True, eq=False)
class ExpressionBasis:
    """Movements of the face on level 1 of the template.

    names : as ICT-FaceKit calls them, jawOpen and so on; modes : (K, V1, 3) float, mm at weight one.

    Examples
    --------
    >>> moves = ExpressionBasis.load()
    >>> moves.offset({"jawOpen": 0.5}).shape == moves.modes.shape[1:]
    True
    """

    names: tuple[str, ...]
    modes: np.ndarray

    def __post_init__(self) -> None:
        if self.modes.ndim != 3 or len(self.modes) != len(self.names):
            raise ValueError(f"expected modes (K, V, 3) for {len(self.names)} names, got {self.modes.shape}")
        object.__setattr__(self, "modes", read_only(self.modes, np.float64))

    def offset(self, weights: dict[str, float]) -> Floats:
        """Displacements (V1, 3), mm, of named expressions.

        Raises
        ------
        ValueError
            When a name is unknown; the message lists the names.
        """
        if unknown := sorted(set(weights) - set(self.names)):
            raise ValueError(f"there is no expression {unknown[0]!r}; there are {', '.join(self.names)}")
        moved = np.zeros(self.modes.shape[1:])
        for name, weight in weights.items():
            moved += weight * self.modes[self.names.index(name)]
        return moved

    def save(self, directory: str | Path) -> None:
        """Write model.json and weights.safetensors."""
        scale = np.maximum(np.abs(self.modes).max(axis=(1, 2)), 1e-9) / 32767.0
        arrays = {"modes": np.round(self.modes / scale[:, None, None]).astype(np.int16), "scale": scale}
        write_stored(directory, arrays, {"names": list(self.names), "sources": [CREDIT]}, kind=KIND)

    @classmethod
    def load(cls, directory: str | Path | None = None) -> ExpressionBasis:
        """Read expressions; without a directory the shipped ones, which are read once.

        Raises
        ------
        CheckpointError
            When a file is missing, damaged or of another kind.
        """
        return _shipped() if directory is None else _read(Path(directory))


@functools.cache
def _shipped() -> ExpressionBasis:
    with resources.as_file(resources.files("facecom").joinpath("assets", "expressions")) as folder:
        return _read(folder)


def _read(folder: Path) -> ExpressionBasis:
    arrays, text = read_stored(folder, kind=KIND)
    with matching(folder, kind=KIND):
        return ExpressionBasis(tuple(text["names"]), arrays["modes"] * arrays["scale"][:, None, None])
