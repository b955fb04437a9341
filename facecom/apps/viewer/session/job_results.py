"""What the jobs of the viewer find, as values."""

from __future__ import annotations

from dataclasses import dataclass

from facecom.geometry.mesh import Bools, Floats, Mesh
from facecom.geometry.transform import Similarity


@dataclass(frozen=True, eq=False)
class FaceDetection:
    """The pose of the face in a scan, the region that the scan lacks by a rough fit, and what it shows of a defect.

    pose : Similarity, the scan's own frame and unit -> face frame, mm
    missing : Mesh, face frame
    found : (V,) bool or None, vertices of the scan that the search took for a defect; None where it took none
    inside_out : whether the scan's triangles face inwards
    unit : the unit in which the scan was read
    warnings : sentences
    """

    pose: Similarity
    missing: Mesh
    found: Bools | None = None
    inside_out: bool = False
    unit: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def missing_in_scan(self) -> Floats:
        """Vertices (M, 3) of the missing region in the scan's own frame and unit."""
        return self.pose.inverse().apply(self.missing.vertices)


@dataclass(frozen=True, eq=False)
class AppliedMarks:
    """What a completion with these marks will leave out, and keep without believing it: own frame and unit.

    left_out, doubted : Mesh, their borders snapped where that was asked for, with the strip about what is left out
    """

    left_out: Mesh
    doubted: Mesh


@dataclass(frozen=True, eq=False)
class DesignedParts:
    """The prostheses for a completion.

    shells : Mesh of each part, face frame, mm
    archive : bytes, their files as a zip
    warnings : sentences
    """

    shells: tuple[Mesh, ...]
    archive: bytes
    warnings: tuple[str, ...] = ()
