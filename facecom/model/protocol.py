"""What a face model is to the rest of the package: linear, network, carried over, or with expressions beside it."""

from __future__ import annotations

from typing import Any, Protocol

from facecom.geometry.mesh import Floats, Ints
from facecom.model.template import Template


class FaceModel(Protocol):
    """Faces on the template from codes with prior N(0, I): what `complete(scan, model=...)` takes.

    `LinearGenerator`, `FaceGenerator`, `CarriedGenerator` and `ExpressiveGenerator` are such; so is any class of yours
    that has these.

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

    def decode(self, code: Floats, *, level: int = 3) -> Floats:
        """Vertices of a level for a code (M,): (V, 3), mm, face frame."""

    def jacobian(self, code: Floats, *, level: int) -> Floats:
        """Derivative of the vertices of levels 0 to 2 at a code, (3 V, M), mm."""

    def prolong_offset(self, offset: Floats, *, from_level: int, to_level: int) -> Floats:
        """Carry displacements (V, ...) to a finer level, smoothly."""
