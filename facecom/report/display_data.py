"""A completion taken apart for showing: every mesh and value of it in the face frame, mm."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from facecom.completion import Completion
from facecom.completion.alignment import face_mask
from facecom.geometry.closest_points import Surface
from facecom.geometry.laplacian import vertex_areas
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh
from facecom.provenance import Provenance
from facecom.report import colors
from facecom.report.shading import ViewDirection

KIND_NAMES = (
    "observed",
    "mirrored (made up, other side observed)",
    "model (made up)",
    "guided (made up, a picture had a say)",
    "synthesised (made up, skin relief laid on)",
)
"""What a reader is told of each `Provenance`."""
KIND_COLOURS = (
    colors.MEASURED,
    colors.MADE_MIRRORED,
    colors.MADE,
    colors.MADE_GUIDED,
    colors.MADE_SYNTHESISED,
)


@dataclass(frozen=True, eq=False)
class DisplayData:
    """What a report shows of a completion; lengths in mm, face frame.

    Parameters
    ----------
    result : Completion

    Values are computed when first asked for.
    """

    result: Completion

    @cached_property
    def scan(self) -> Mesh:
        """The cleaned scan, triangles outwards."""
        own = self.result.context
        mesh = own.scan.mm.mesh
        return Mesh(own.fit.pose.apply(mesh.vertices), mesh.faces)

    @cached_property
    def mean(self) -> Mesh:
        """The model's mean face."""
        return self.result.template.mesh()

    @cached_property
    def modes_only(self) -> Mesh:
        """The fitted face without the discrepancy fields."""
        own = self.result.context
        code = own.fit.code.copy()
        code[own.model.identity_size :] = 0.0
        return self.mean.with_vertices(own.model.decode(code))

    @cached_property
    def fitted(self) -> Mesh:
        """The face of the fitted code."""
        own = self.result.context
        return self.mean.with_vertices(own.model.decode(own.fit.code))

    @cached_property
    def face(self) -> Mesh:
        """The completed whole face."""
        return self.mean.with_vertices(self.result.context.projection.vertices)

    @cached_property
    def merged(self) -> Mesh:
        """The scan's triangles and the patch, triangles outwards."""
        own = self.result
        return Mesh(own.pose.apply(own.merged.vertices), own.context.stitched.merged.faces)

    @cached_property
    def area(self) -> Floats:
        """Area of the completed face that each vertex stands for, (V,), mm2."""
        return vertex_areas(self.face.vertices, self.face.faces)

    @cached_property
    def measured(self) -> Bools:
        """Vertices of the face that the scan shows, (V,)."""
        return self.result.provenance == Provenance.OBSERVED

    @cached_property
    def proper(self) -> Bools:
        """Vertices that are face, not scalp, ear or neck, (V,)."""
        own = self.result.context
        return face_mask(own.template, level=3, radius_mm=own.settings.face_radius_mm)

    @cached_property
    def made(self) -> Bools:
        """Vertices of the face proper that were made up, (V,)."""
        return ~self.measured & self.proper

    @cached_property
    def mirrored(self) -> Bools:
        """Vertices of the face that were made up while the scan shows the other side, (V,)."""
        return ~self.measured & self.measured[self.result.template.mirror]

    @cached_property
    def sides(self) -> Ints:
        """What the scan shows of each vertex, (V,): itself, its other side, or neither."""
        return np.where(
            self.measured, Provenance.OBSERVED, np.where(self.mirrored, Provenance.MIRRORED, Provenance.MODEL)
        )

    @property
    def kind(self) -> Ints:
        """The `Provenance` of each vertex of the face, (V,)."""
        return self.result.provenance

    @property
    def guided(self) -> Bools:
        """Vertices of the face that were made up while an inpainted picture had a say, (V,)."""
        return self.kind == Provenance.GUIDED

    @property
    def merged_kind(self) -> Ints:
        """The same for each vertex of the merged mesh, (M,)."""
        return self.result.merged_provenance

    @cached_property
    def kinds(self) -> tuple[int, ...]:
        """The kinds that this completion has, in their order."""
        return tuple(np.union1d(self.kind, self.merged_kind).tolist())

    @cached_property
    def face_to_scan(self) -> Floats:
        """Distance of each measured vertex of the face to the scan, (V,); zero for the others."""
        out = np.zeros(len(self.face.vertices))
        if self.measured.any():
            out[self.measured] = Surface(self.scan).closest(self.face.vertices[self.measured]).distance
        return out

    @cached_property
    def view(self) -> ViewDirection:
        """Three quarters from the side of which more was made up."""
        x, made = self.face.vertices[:, 0], ~self.measured
        left = self.area @ (made & (x > 0)) >= self.area @ (made & (x < 0))
        return ViewDirection("three-quarter", np.radians(35.0 if left else -35.0), np.radians(5.0))

    def share(self, where: Bools, *, of: Bools | None = None) -> float:
        """Share of the face's area, or of the area of a part, for which `where` holds."""
        area = self.area if of is None else self.area * of
        return float(area @ where / max(area.sum(), 1e-12))

    def mean_of(self, values: Floats, where: Bools) -> float:
        """Mean of values (V,) by area over a part of the face; NaN where it is empty."""
        area = self.area * where
        return float(area @ values / area.sum()) if area.any() else float("nan")

    def rms_of(self, values: Floats, where: Bools) -> float:
        """Root mean square of values (V,) by area over a part of the face; NaN where it is empty."""
        return float(np.sqrt(self.mean_of(np.square(values), where)))
