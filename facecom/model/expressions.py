"""Expressions as displacements on `FIT_LEVEL` of the template, with weights between 0 and 1."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np

from facecom.geometry.mesh import Floats, read_only
from facecom.model.storage import (
    StorageFormat,
    check_finite,
    check_rows,
    checkpoint_errors,
    read_stored,
    to_int16,
    write_stored,
)

KIND = StorageFormat("facecom-expressions", 1)
CREDIT = "ICT-FaceKit (USC Institute for Creative Technologies), MIT licence: expression modes"


@dataclass(frozen=True, eq=False)
class ExpressionBasis:
    """Displacements of expressions on `FIT_LEVEL` of the template.

    names : as ICT-FaceKit calls them, jawOpen and so on; modes : (K, V1, 3) float, mm at weight one.

    Examples
    --------
    >>> expressions = ExpressionBasis.load()
    >>> expressions.offset({"jawOpen": 0.5}).shape == expressions.modes.shape[1:]
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
        offset = np.zeros(self.modes.shape[1:])
        for name, weight in weights.items():
            offset += weight * self.modes[self.names.index(name)]
        return offset

    def save(self, directory: str | Path) -> None:
        """Write model.json and weights.safetensors."""
        modes, scale = to_int16(self.modes)
        arrays = {"modes": modes, "scale": scale}
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
    with checkpoint_errors(folder, kind=KIND):
        check_finite(arrays, "modes", "scale")
        check_rows(arrays["modes"], arrays["scale"], ndim=3)
        return ExpressionBasis(tuple(text["names"]), arrays["modes"] * arrays["scale"][:, None, None])
