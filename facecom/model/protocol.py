"""What a face model is to the rest of the package: linear, network, transferred, or with expressions."""

from __future__ import annotations

from typing import Any, Protocol

from facecom.geometry.mesh import Floats, Ints, Mesh
from facecom.model.template import FINEST_LEVEL, Template


class FaceModel(Protocol):
    """Faces on the template from codes with prior N(0, I): what `complete(scan, model=...)` takes.

    `LinearGenerator`, `FaceGenerator`, `TransferredGenerator` and `ExpressiveGenerator` are such; so is any class of
    yours that has these. `mean`, `sample` and `encode` follow from the others: `sampling.sample_mesh(self, seed)` and
    `encoding.encode(self, vertices)` are what the models here call.

    Examples
    --------
    >>> from facecom.model.linear.generator import LinearGenerator
    >>> model: FaceModel = LinearGenerator.load()
    >>> model.code_size >= model.identity_size
    True
    """

    @property
    def template(self) -> Template:
        """The template, its vertices on the face of the zero code."""

    @property
    def code_size(self) -> int:
        """Number M of code entries."""

    @property
    def identity_size(self) -> int:
        """Number of leading code entries that random faces draw."""

    @property
    def description(self) -> dict[str, Any]:
        """Where it is from, for reports."""

    def faces(self, level: int) -> Ints:
        """Triangles of a level, (F, 3)."""

    def mean(self, level: int = FINEST_LEVEL) -> Mesh:
        """The face of the zero code at a level."""

    def sample(self, seed: int, *, level: int = FINEST_LEVEL) -> Mesh:
        """A face drawn from the prior; the same seed gives the same face as `sampling.sample_meshes`."""

    def encode(self, vertices: Floats) -> Floats:
        """Code (M,) of vertices (V, 3), mm, face frame: least squares with the prior, on `SHAPE_LEVEL`.

        V is the number of vertices of `SHAPE_LEVEL` or of `FINEST_LEVEL`, which are brought to it first.
        """

    def decode(self, code: Floats, *, level: int = FINEST_LEVEL) -> Floats:
        """Vertices of a level for a code (M,): (V, 3), mm, face frame."""

    def jacobian(self, code: Floats, *, level: int) -> Floats:
        """Derivative of the vertices of levels 0 to 2 at a code, (3 V, M), mm."""

    def prolong_offset(self, offset: Floats, *, from_level: int, to_level: int) -> Floats:
        """Prolong displacements (V, ...) to a finer level, smoothly."""
