"""A face model in another topology, transferred onto our template by closest points."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Floats, Ints, Mesh, read_only
from facecom.geometry.transform import Similarity
from facecom.model.adapters.source import LinearSource, SourceModel, mean_mesh
from facecom.model.encoding import encode
from facecom.model.sampling import sample_mesh
from facecom.model.storage import StorageFormat, check_finite, checked_csr, checkpoint_errors, write_stored
from facecom.model.template import COARSEST_LEVEL, FINEST_LEVEL, SHAPE_LEVEL, Template, read_with_template

KIND = StorageFormat("facecom-carried", 1)
ENCODE_STEPS = 5
"""Gauss-Newton steps of `encode` for a source that is not linear."""


@dataclass(frozen=True, eq=False, repr=False)
class TransferredGenerator:
    """A source's faces on our template; takes the place of `LinearGenerator` in `complete(scan, model=...)`.

    Parameters
    ----------
    template : Template whose vertices are the source's mean face, face frame, mm
    source : the model in its own topology
    interpolation : sparse (V2, N); each template vertex as a weighted mean of the source's vertices
    pose : the source's frame -> face frame, mm
    """

    template: Template
    source: SourceModel
    interpolation: sp.csr_matrix
    pose: Similarity

    @property
    def code_size(self) -> int:
        """Number M of code entries."""
        return self.source.code_size

    @property
    def identity_size(self) -> int:
        """Number of leading code entries that random faces draw: all of them."""
        return self.source.code_size

    @property
    def description(self) -> dict[str, Any]:
        """Where the model is from."""
        return {"format": "carried", "sources": [self.source.credit]}

    def faces(self, level: int) -> Ints:
        """Triangles of a level, (F, 3)."""
        return self.template.faces[level]

    def mean(self, level: int = FINEST_LEVEL) -> Mesh:
        """The source's mean face on the template."""
        return self.template.mesh(level)

    def sample(self, seed: int, *, level: int = FINEST_LEVEL) -> Mesh:
        """A face drawn from the prior."""
        return sample_mesh(self, seed, level=level)

    def encode(self, vertices: Floats) -> Floats:
        """Code (M,) of vertices (V, 3) of `SHAPE_LEVEL` or `FINEST_LEVEL`, mm, face frame.

        Least squares with the prior on `SHAPE_LEVEL`; Gauss-Newton steps for a source that is not linear.

        Raises
        ------
        ValueError
            When the vertices are of neither level.
        """
        return encode(self, vertices, steps=1 if isinstance(self.source, LinearSource) else ENCODE_STEPS)

    def decode(self, code: Floats, *, level: int = FINEST_LEVEL) -> Floats:
        """Vertices of a level for a code (M,): (V, 3), mm, face frame."""
        code = np.asarray(code, float)
        if code.shape != (self.code_size,):
            raise ValueError(f"expected a code of {self.code_size} entries, got shape {code.shape}")
        reached = min(level, SHAPE_LEVEL)
        count = self.template.counts[reached]
        moved = self.interpolation[:count] @ (self.source.decode(code) - self.source.mean)
        offset = self.pose.scale * self.pose.rotate(moved)
        if level > SHAPE_LEVEL:
            offset = self.prolong_offset(offset, from_level=SHAPE_LEVEL, to_level=level)
        return self.template.vertices[: self.template.counts[level]] + offset

    def jacobian(self, code: Floats, *, level: int) -> Floats:
        """Derivative of the vertices, (3 V, M), mm; levels 0 to 2.

        That of a source that is not linear costs a second: on `COARSEST_LEVEL`, where many poses are tried, it is the
        one at the code zero.

        Raises
        ------
        ValueError
            For finer levels.
        """
        if level > SHAPE_LEVEL:
            raise ValueError(f"the derivative is there up to level {SHAPE_LEVEL}; prolong what it gives")
        if level == COARSEST_LEVEL or isinstance(self.source, LinearSource):
            return self._at_zero[: 3 * self.template.counts[level]]
        return self._transferred_jacobian(self.source.jacobian(code), self.template.counts[level])

    @functools.cached_property
    def _at_zero(self) -> Floats:
        linear = isinstance(self.source, LinearSource)
        count = self.template.counts[SHAPE_LEVEL if linear else COARSEST_LEVEL]
        return read_only(self._transferred_jacobian(self.source.jacobian(np.zeros(self.code_size)), count), np.float64)

    def _transferred_jacobian(self, jacobian: Floats, count: int) -> Floats:
        """What a derivative in the source's topology is at the first `count` vertices of the template."""
        moved = self.interpolation[:count] @ jacobian.reshape(self.interpolation.shape[1], -1)
        linear = self.pose.scale * self.pose.rotation
        return np.einsum("ij,vjm->vim", linear, moved.reshape(count, 3, -1)).reshape(3 * count, -1)

    def prolong_offset(self, offset: Floats, *, from_level: int, to_level: int) -> Floats:
        """Prolong displacements (V, ...) to a finer level, smoothly."""
        return self.template.prolong(offset, from_level=from_level, to_level=to_level, scheme="loop")

    def save(self, directory: str | Path) -> None:
        """Write all that `load` needs: the source, the template on its mean face, and their interpolation."""
        folder = Path(directory)
        arrays = {
            "data": self.interpolation.data,
            "indices": self.interpolation.indices,
            "indptr": self.interpolation.indptr,
            "rotation": self.pose.rotation,
            "translation": self.pose.translation,
            "scale": np.array([self.pose.scale]),
        }
        if isinstance(self.source, LinearSource):
            arrays |= {f"source.{name}": getattr(self.source, name) for name in ("mean", "triangles", "modes")}
        else:
            self.source.save(folder / "source")
        write_stored(folder, arrays, {"credit": self.source.credit, "vertices": self.interpolation.shape[1]}, kind=KIND)
        self.template.save(folder / "template")

    @classmethod
    def load(cls, directory: str | Path) -> TransferredGenerator:
        """Read what `save` wrote.

        Raises
        ------
        CheckpointError
            When a file is missing, damaged, of another version or of another kind; names the file and the reason.
        """
        arrays, text, template = read_with_template(directory, kind=KIND)
        with checkpoint_errors(directory, kind=KIND):
            source = _stored_source(Path(directory), arrays, text["credit"])
            if text["vertices"] != len(source.mean):
                raise ValueError(f"the source has {len(source.mean)} vertices, not {text['vertices']}")
            shape = (template.counts[SHAPE_LEVEL], len(source.mean))
            interpolation = checked_csr(arrays["data"], arrays["indices"], arrays["indptr"], shape=shape)
            pose = Similarity(arrays["rotation"], arrays["translation"], float(arrays["scale"][0]))
        return cls(template, source, interpolation, pose)


def _stored_source(folder: Path, arrays: dict[str, np.ndarray], credit: str) -> SourceModel:
    if "source.modes" in arrays:
        check_finite(arrays, "source.mean", "source.modes")
        return LinearSource(arrays["source.mean"], arrays["source.triangles"], arrays["source.modes"], credit)
    from facecom.model.adapters.facecom_files import FaceComSource

    return FaceComSource.load(folder / "source")


def transfer(source: SourceModel, template: Template, registered: Floats, *, pose: Similarity) -> TransferredGenerator:
    """Transfer a source's modes onto our template, by the closest points of its mean face.

    Where the source has no surface (a mask without ears, say), the template moves as the nearest point of it does.

    Parameters
    ----------
    source : the model in its own topology, frame and unit
    template : Template
    registered : (V, 3) vertices of the template on the source's mean face, in the source's frame: what completing or
        registering `mean_mesh(source)` gives as `face.vertices`
    pose : the source's frame -> face frame, mm: that completion's `pose`

    Raises
    ------
    ValueError
        When `registered` is not on the template.

    Examples
    --------
    Registered by completing the mean face::

        source = read_linear("model.npz")
        done = complete(mean_mesh(source), unit="mm")
        model = transfer(source, Template.load(), done.face.vertices, pose=done.pose)
        result = complete("scan.ply", model=model)
    """
    registered = np.asarray(registered, float)
    if registered.shape != template.vertices.shape:
        raise ValueError(f"expected {len(template.vertices)} registered vertices, got shape {registered.shape}")
    mesh = mean_mesh(source)
    found = Surface(mesh).closest(registered[: template.counts[SHAPE_LEVEL]])
    count = len(found.faces)
    entries = (found.barycentric.ravel(), (np.repeat(np.arange(count), 3), mesh.faces[found.faces].ravel()))
    interpolation = sp.coo_matrix(entries, shape=(count, len(source.mean))).tocsr()
    return TransferredGenerator(replace(template, vertices=pose.apply(registered)), source, interpolation, pose)
