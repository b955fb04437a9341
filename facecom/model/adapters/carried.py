"""A face model in another topology, carried onto our template by closest points."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from facecom.geometry.mesh import Floats, Ints, Mesh
from facecom.geometry.nearest import Surface
from facecom.geometry.transform import Similarity
from facecom.model.adapters.source import Source, mean_mesh
from facecom.model.template import Template

LEVEL = 2


@dataclass(frozen=True, eq=False)
class CarriedGenerator:
    """A source's faces on our template; takes the place of `LinearGenerator` in `complete(scan, model=...)`.

    Parameters
    ----------
    template : Template whose vertices are the source's mean face, face frame, mm
    source : the model in its own topology
    rows : sparse (V2, N); each template vertex as a mix of the source's vertices
    pose : the source's frame -> face frame, mm
    """

    template: Template
    source: Source
    rows: sp.csr_matrix
    pose: Similarity

    @property
    def code_size(self) -> int:
        """Number M of code entries."""
        return self.source.code_size

    @property
    def description(self) -> dict[str, Any]:
        """Where the model is from."""
        return {"format": "carried", "sources": [self.source.credit]}

    def faces(self, level: int) -> Ints:
        """Triangles of a level, (F, 3)."""
        return self.template.faces[level]

    def mean(self, level: int = 3) -> Mesh:
        """The source's mean face on the template."""
        return self.template.mesh(level)

    def decode(self, code: Floats, *, level: int = 3) -> Floats:
        """Vertices of a level for a code (M,): (V, 3), mm, face frame."""
        code = np.asarray(code, float)
        if code.shape != (self.code_size,):
            raise ValueError(f"expected a code of {self.code_size} entries, got shape {code.shape}")
        reached = min(level, LEVEL)
        count = self.template.counts[reached]
        moved = self.rows[:count] @ (self.source.decode(code) - self.source.mean)
        offset = self.pose.scale * self.pose.rotate(moved)
        if level > LEVEL:
            offset = self.prolong_offset(offset, from_level=LEVEL, to_level=level)
        return self.template.vertices[: self.template.counts[level]] + offset

    def jacobian(self, code: Floats, *, level: int) -> Floats:
        """Derivative of the vertices, (3 V, M), mm; levels 0 to 2.

        Raises
        ------
        ValueError
            For finer levels.
        """
        if level > LEVEL:
            raise ValueError(f"the derivative is there up to level {LEVEL}; prolong what it gives")
        if hasattr(self.source, "modes"):
            return self._linear[: 3 * self.template.counts[level]]
        return self._carried(self.source.jacobian(code), level)

    @functools.cached_property
    def _linear(self) -> Floats:
        return self._carried(self.source.jacobian(np.zeros(self.code_size)), LEVEL)

    def _carried(self, jacobian: Floats, level: int) -> Floats:
        rows = self.rows[: self.template.counts[level]]
        moved = rows @ jacobian.reshape(rows.shape[1], -1)
        turn = self.pose.scale * self.pose.rotation
        return np.einsum("ij,vjm->vim", turn, moved.reshape(rows.shape[0], 3, -1)).reshape(3 * rows.shape[0], -1)

    def prolong_offset(self, offset: Floats, *, from_level: int, to_level: int) -> Floats:
        """Carry displacements (V, ...) to a finer level, smoothly."""
        return self.template.prolong(offset, from_level=from_level, to_level=to_level, scheme="loop")


def carry(source: Source, template: Template, placed: Floats, *, pose: Similarity) -> CarriedGenerator:
    """Put a source's modes onto our template, by the closest points of its mean face.

    Where the source has no surface (a mask without ears, say), the template moves as the nearest point of it does.

    Parameters
    ----------
    source : the model in its own topology, frame and unit
    template : Template
    placed : (V, 3) vertices of the template on the source's mean face, in the source's frame: what completing or
        registering `mean_mesh(source)` gives as `face.vertices`
    pose : the source's frame -> face frame, mm: that completion's `pose`

    Raises
    ------
    ValueError
        When `placed` is not on the template.

    Examples
    --------
    Registered by completing the mean face::

        source = read_linear("model.npz")
        done = complete(mean_mesh(source), unit="mm")
        model = carry(source, Template.load(), done.face.vertices, pose=done.pose)
        result = complete("scan.ply", model=model)
    """
    placed = np.asarray(placed, float)
    if placed.shape != template.vertices.shape:
        raise ValueError(f"expected the template's {len(template.vertices)} vertices placed, got shape {placed.shape}")
    mesh = mean_mesh(source)
    found = Surface(mesh).closest(placed[: template.counts[LEVEL]])
    count = len(found.faces)
    entries = (found.barycentric.ravel(), (np.repeat(np.arange(count), 3), mesh.faces[found.faces].ravel()))
    rows = sp.coo_matrix(entries, shape=(count, len(source.mean))).tocsr()
    return CarriedGenerator(replace(template, vertices=pose.apply(placed)), source, rows, pose)
