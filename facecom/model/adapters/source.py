"""What an adapter gives: a face model in its own topology, with codes that are N(0, I)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from facecom.geometry.mesh import Floats, Ints, Mesh, read_only
from facecom.model.storage import npz_bytes


class SourceModel(Protocol):
    """A face model in its own topology, frame and unit."""

    @property
    def mean(self) -> Floats:
        """The face of code zero, (N, 3)."""

    @property
    def triangles(self) -> Ints:
        """(F, 3)."""

    @property
    def credit(self) -> str:
        """Whose model it is."""

    @property
    def code_size(self) -> int:
        """Number M of code entries."""

    def decode(self, code: Floats) -> Floats:
        """Vertices (N, 3) for a code (M,) with prior N(0, I)."""

    def jacobian(self, code: Floats) -> Floats:
        """Derivative of the vertices, (3 N, M)."""

    def save(self, directory: str | Path) -> None:
        """Write the model."""


@dataclass(frozen=True, eq=False)
class LinearSource:
    """`mean + sum of code_k * mode_k`.

    Parameters
    ----------
    mean : (N, 3), mm, any frame
    triangles : (F, 3)
    modes : (M, N, 3), mm for one standard deviation
    credit : whose model it is, under which licence where that is known

    Examples
    --------
    >>> source = LinearSource(np.zeros((3, 3)), [[0, 1, 2]], np.ones((1, 3, 3)), "mine")
    >>> source.decode(np.array([2.0])).max()
    np.float64(2.0)
    """

    mean: Floats
    triangles: Ints
    modes: Floats
    credit: str

    def __post_init__(self) -> None:
        for name, dtype, columns in (("mean", np.float64, 3), ("triangles", np.int64, 3), ("modes", np.float64, None)):
            object.__setattr__(self, name, read_only(getattr(self, name), dtype, columns))
        if self.modes.ndim != 3 or self.modes.shape[1:] != self.mean.shape:
            raise ValueError(f"modes must be (M, {len(self.mean)}, 3), got {self.modes.shape}")
        if len(self.triangles) and not 0 <= self.triangles.min() <= self.triangles.max() < len(self.mean):
            raise ValueError(f"triangles name vertices beyond the {len(self.mean)} there are")

    @property
    def code_size(self) -> int:
        """Number of modes."""
        return len(self.modes)

    def decode(self, code: Floats) -> Floats:
        """Vertices (N, 3) for a code (M,)."""
        return self.mean + np.tensordot(np.asarray(code, float), self.modes, axes=1)

    def jacobian(self, code: Floats) -> Floats:
        """Derivative of the vertices, (3 N, M); the same for every code."""
        return self.modes.reshape(len(self.modes), -1).T

    def save(self, directory: str | Path) -> None:
        """Write the model as `linear_files.read_linear` reads it: model.npz in a folder."""
        folder = Path(directory)
        folder.mkdir(parents=True, exist_ok=True)
        arrays = {"mean": self.mean, "basis": self.modes, "faces": self.triangles}
        (folder / "model.npz").write_bytes(npz_bytes(arrays))


def mean_mesh(source: SourceModel) -> Mesh:
    """The mean face of a source as a mesh: what is to be registered before `transfer`."""
    return Mesh(source.mean, source.triangles)


def fan_triangles(polygons: list[list[int]]) -> Ints:
    """Fans of triangles (F, 3) of polygons."""
    return np.array([[p[0], p[k], p[k + 1]] for p in polygons for k in range(1, len(p) - 1)], np.int64).reshape(-1, 3)
