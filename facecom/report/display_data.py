"""Display data of a completion: its meshes and values per vertex, in the face frame, mm."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from facecom.completion import Completion
from facecom.completion.alignment import face_mask
from facecom.drawing import colors
from facecom.drawing.shading import ViewDirection
from facecom.geometry.closest_points import Surface
from facecom.geometry.laplacian import vertex_areas
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh
from facecom.model.template import FINEST_LEVEL
from facecom.provenance import Provenance

PROVENANCE_LABELS = (
    "observed",
    "mirrored (made up, other side observed)",
    "model (made up)",
    "guided (made up, with an inpainted image)",
    "synthesised (made up, with synthesised skin relief)",
)
"""Name of each `Provenance` in reports and legends."""
PROVENANCE_COLORS = tuple(colors.PROVENANCE[kind] for kind in Provenance)
"""Colour of each `Provenance`."""
THREE_QUARTER_YAW_RAD, THREE_QUARTER_PITCH_RAD = np.radians(35.0), np.radians(5.0)
"""Direction of the pictures: both the profile and the front of the nose and of a cheek are visible."""


@dataclass(frozen=True, eq=False)
class DisplayData:
    """Meshes and values of a completion for display; lengths in mm, face frame.

    Parameters
    ----------
    result : Completion

    Each is computed on first use.
    """

    result: Completion

    @cached_property
    def scan(self) -> Mesh:
        """The cleaned scan, with outward triangles."""
        context = self.result.context
        mesh = context.scan.mm.mesh
        return Mesh(context.fit.pose.apply(mesh.vertices), mesh.faces)

    @cached_property
    def mean_face(self) -> Mesh:
        """The model's mean face."""
        return self.result.template.mesh()

    @cached_property
    def modes_face(self) -> Mesh:
        """The fitted face without the discrepancy: the face model's modes alone."""
        context = self.result.context
        code = context.fit.code.copy()
        code[context.model.identity_size :] = 0.0
        return self.mean_face.with_vertices(context.model.decode(code))

    @cached_property
    def fitted(self) -> Mesh:
        """The fitted face: modes and discrepancy."""
        context = self.result.context
        return self.mean_face.with_vertices(context.model.decode(context.fit.code))

    @cached_property
    def face(self) -> Mesh:
        """The completed face."""
        return self.mean_face.with_vertices(self.result.context.projection.vertices)

    @cached_property
    def merged(self) -> Mesh:
        """The scan's triangles and the patch, with outward triangles."""
        result = self.result
        return Mesh(result.pose.apply(result.merged.vertices), result.context.stitched.merged.faces)

    @cached_property
    def vertex_area(self) -> Floats:
        """Area of each vertex of the completed face, (V,), mm2."""
        return vertex_areas(self.face.vertices, self.face.faces)

    @cached_property
    def observed(self) -> Bools:
        """Vertices of the completed face that the scan shows, (V,)."""
        return self.result.provenance == Provenance.OBSERVED

    @cached_property
    def face_mask(self) -> Bools:
        """Vertices of the face proper: not scalp, ear or neck, (V,)."""
        context = self.result.context
        return face_mask(context.template, level=FINEST_LEVEL, radius_mm=context.settings.face_radius_mm)

    @cached_property
    def made_up(self) -> Bools:
        """Vertices of the face proper that are made up, (V,)."""
        return ~self.observed & self.face_mask

    @cached_property
    def mirror_observed(self) -> Bools:
        """Made-up vertices whose mirror vertex is observed, (V,)."""
        return ~self.observed & self.observed[self.result.template.mirror]

    @cached_property
    def symmetry_provenance(self) -> Ints:
        """Provenance by symmetry alone, (V,): observed, mirrored where the mirror vertex is observed, else model."""
        return np.where(
            self.observed, Provenance.OBSERVED, np.where(self.mirror_observed, Provenance.MIRRORED, Provenance.MODEL)
        )

    @property
    def provenance(self) -> Ints:
        """`Provenance` of each vertex of the completed face, (V,)."""
        return self.result.provenance

    @property
    def guided(self) -> Bools:
        """Made-up vertices that an inpainted image constrained, (V,)."""
        return self.provenance == Provenance.GUIDED

    @property
    def merged_provenance(self) -> Ints:
        """`Provenance` of each vertex of the merged mesh, (M,)."""
        return self.result.merged_provenance

    @cached_property
    def present_provenance(self) -> tuple[int, ...]:
        """Values of `Provenance` that occur in this completion, ascending."""
        return tuple(np.union1d(self.provenance, self.merged_provenance).tolist())

    @cached_property
    def face_to_scan(self) -> Floats:
        """Distance of each observed vertex of the completed face to the scan, (V,), mm; zero for the others."""
        out = np.zeros(len(self.face.vertices))
        if self.observed.any():
            out[self.observed] = Surface(self.scan).closest(self.face.vertices[self.observed]).distance
        return out

    @cached_property
    def view(self) -> ViewDirection:
        """Three-quarter view of the side with more made-up area."""
        x, made_up = self.face.vertices[:, 0], ~self.observed
        left = self.vertex_area @ (made_up & (x > 0)) >= self.vertex_area @ (made_up & (x < 0))
        yaw = THREE_QUARTER_YAW_RAD if left else -THREE_QUARTER_YAW_RAD
        return ViewDirection("three-quarter", yaw, THREE_QUARTER_PITCH_RAD)

    def area_share(self, where: Bools, *, of: Bools | None = None) -> float:
        """Share of the face's area, or of the area of a part `of`, for which `where` (V,) holds."""
        area = self.vertex_area if of is None else self.vertex_area * of
        return float(area @ where / max(area.sum(), 1e-12))

    def area_mean(self, values: Floats, where: Bools) -> float:
        """Area-weighted mean of values (V,) over a part of the face; NaN where it is empty."""
        area = self.vertex_area * where
        return float(area @ values / area.sum()) if area.any() else float("nan")

    def area_rms(self, values: Floats, where: Bools) -> float:
        """Area-weighted root mean square of values (V,) over a part of the face; NaN where it is empty."""
        return float(np.sqrt(self.area_mean(np.square(values), where)))
