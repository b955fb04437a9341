"""What a client works on: the scan, its marks, the result and its variants. Values, no page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from facecom.apps.viewer.http.uploads import UploadedScan
from facecom.apps.viewer.session.keep_open import keep_open
from facecom.apps.viewer.session.marks import Marks, Tool
from facecom.completion import Completion
from facecom.errors import ScanError
from facecom.geometry.mesh import Floats, Ints, Mesh
from facecom.geometry.transform import Similarity

if TYPE_CHECKING:
    from facecom.prosthesis import Prosthesis

MIN_MOBILITY = 0.3
"""Landmarks of at least this mobility (0 observed, 1 deep in a hole) can be dragged."""
DRAG_SIGMA_MM = 0.01
"""Standard deviation of a dragged landmark: it outweighs a posterior that is sure."""
DISPLAY_SIZE_MM = 250.0
"""Size at which a scan is displayed before its unit is known: that of a head."""


@dataclass(frozen=True, eq=False)
class FaceDetection:
    """The pose of the face in a scan, and the region that the scan lacks, by a rough fit.

    pose : Similarity, the scan's own frame and unit -> face frame, mm
    missing : Mesh, face frame
    """

    pose: Similarity
    missing: Mesh

    @property
    def missing_in_scan(self) -> Floats:
        """Vertices (M, 3) of the missing region in the scan's own frame and unit."""
        return self.pose.inverse().apply(self.missing.vertices)


@dataclass(frozen=True, eq=False)
class Session:
    """The work of a client; each step gives a new value.

    A result is kept when the marks change, and parts when another face is shown: both took a while, and the session
    knows what they belong to.

    Parameters
    ----------
    name : str, display name of the scan
    scan : Mesh with faces or None, own frame and unit
    marks : Marks, what is painted on the scan and on the detected missing region
    detection : FaceDetection or None
    result : Completion or None, the most likely one
    result_marks : Marks or None, those that the result was made with
    dragged : name of a landmark -> (3,) its target, face frame, mm
    samples : other faces from the posterior
    sample : which of them is displayed, counted from 1; 0 for none
    refitted : Completion or None, the result after dragging
    prostheses : the parts that were designed last
    designed_on : Completion or None, the one that they are for

    Examples
    --------
    >>> scan = Mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]])
    >>> Session().load(UploadedScan("flat.ply", scan)).paint(np.array([0]), Tool.MARK_MISSING).marks.missing.tolist()
    [True, False, False]
    """

    name: str = ""
    scan: Mesh | None = None
    marks: Marks = field(default_factory=Marks.none)
    detection: FaceDetection | None = None
    result: Completion | None = None
    result_marks: Marks | None = None
    dragged: Mapping[str, Floats] = field(default_factory=dict)
    samples: tuple[Completion, ...] = ()
    sample: int = 0
    refitted: Completion | None = None
    prostheses: tuple[Prosthesis, ...] = ()
    designed_on: Completion | None = None

    @property
    def outdated(self) -> bool:
        """Whether the marks have changed since the result was made."""
        return self.result is not None and self.result_marks is not None and not self.marks.same_as(self.result_marks)

    @property
    def displayed_prostheses(self) -> tuple[Prosthesis, ...]:
        """The parts for the displayed face; none where they are for another one."""
        return self.prostheses if self.designed_on is self.displayed else ()

    @property
    def displayed(self) -> Completion | None:
        """The displayed completion: a sample, the result after dragging, or the result."""
        if self.sample:
            return self.samples[self.sample - 1]
        return self.refitted or self.result

    @property
    def frame(self) -> Completion | FaceDetection | None:
        """What knows the pose of the face; None before the face is detected."""
        return self.result or self.detection

    @property
    def displayed_region(self) -> Mesh | None:
        """The detected missing region in the displayed frame, None where there is none."""
        if self.detection is None or not len(self.detection.missing.faces):
            return None
        missing = self.detection.missing
        return missing.with_vertices(self.to_display.apply(self.detection.missing_in_scan))

    @property
    def to_display(self) -> Similarity:
        """The scan's own frame and unit -> displayed frame: the face frame once the face is detected."""
        if self.frame is not None:
            return self.frame.pose
        if self.scan is None:
            return Similarity()
        points = self.scan.vertices[np.isfinite(self.scan.vertices).all(axis=1)]
        low, high = points.min(axis=0), points.max(axis=0)
        scale = DISPLAY_SIZE_MM / max(float((high - low).max()), 1e-12)
        return Similarity(translation=-scale * 0.5 * (low + high), scale=scale)

    def load(self, upload: UploadedScan) -> Session:
        """Begin anew with a scan."""
        return Session(name=upload.name, scan=upload.mesh, marks=Marks.none(len(upload.mesh.vertices)))

    def set_detection(self, detection: FaceDetection) -> Session:
        """Add the detected face."""
        marks = Marks(self.marks.missing, np.zeros(len(detection.missing.vertices), bool))
        return replace(self, detection=detection, marks=marks)

    def paint(self, touched: Ints, tool: Tool) -> Session:
        """Apply a stroke; see `Marks.paint`."""
        return replace(self, marks=self.marks.paint(touched, tool))

    def undo_stroke(self) -> Session:
        """Take the last stroke back."""
        return replace(self, marks=self.marks.undo())

    def unmark_all(self) -> Session:
        """Drop all marks."""
        return replace(self, marks=self.marks.clear())

    def unmarked_scan(self) -> Mesh:
        """The scan without its marked vertices, own frame and unit.

        Raises
        ------
        ScanError
            When there is no scan, or all of it is marked.
        """
        if self.scan is None:
            raise ScanError("there is no scan yet; upload one")
        if not self.marks.missing.any():
            return self.scan
        keep = np.asarray(~self.marks.missing[self.scan.faces].any(axis=1))
        if not keep.any():
            raise ScanError("all of the scan is marked as missing; take some of the marks back")
        return self.scan.submesh(keep)[0]

    def set_result(self, result: Completion) -> Session:
        """Add a completion of the scan without its marked vertices; drops what was changed on the one before."""
        return replace(self, result=result, result_marks=self.marks, dragged={}, samples=(), sample=0, refitted=None)

    def movable_landmarks(self) -> dict[str, Floats]:
        """Landmarks of the missing part, which can be dragged: name -> (3,) in the displayed face, face frame, mm."""
        if self.result is None or self.displayed is None:
            return {}
        mobility, vertices = self.result.context.mobility, self.displayed.context.projection.vertices
        landmarks = self.result.template.landmarks
        return {name: vertices[k] for name, k in landmarks.items() if mobility[k] >= MIN_MOBILITY}

    def drag_landmark(self, name: str, target: Floats, *, sigma_mm: float = DRAG_SIGMA_MM) -> Session:
        """Drag a landmark to a point (3,) of the face frame, mm, and refit with all dragged landmarks.

        Parameters
        ----------
        sigma_mm : standard deviation of the landmark about its target

        Raises
        ------
        ScanError
            When there is no result yet.
        ValueError
            When the landmark is unknown or lies on observed surface.
        """
        if self.result is None:
            raise ScanError("there is no result yet; complete the scan first")
        dragged = {**self.dragged, name: np.asarray(target, float)}
        to_scan = self.result.pose.inverse()
        targets: dict[str | int, Floats] = {name: to_scan.apply(point) for name, point in dragged.items()}
        refitted = self.result.refit(targets, sigma_mm=sigma_mm)
        return replace(self, dragged=dragged, refitted=refitted, sample=0)

    def undo_dragging(self) -> Session:
        """Undo all dragging."""
        return replace(self, dragged={}, refitted=None)

    def draw_samples(self, count: int) -> Session:
        """Draw faces from the posterior, unless they are drawn already."""
        if self.result is None or self.samples:
            return self
        return replace(self, samples=tuple(self.result.samples(count)))

    def select_sample(self, sample: int) -> Session:
        """Display a sample, counted from 1, or with 0 the most likely face.

        Raises
        ------
        ValueError
            When there is no such sample.
        """
        if not 0 <= sample <= len(self.samples):
            raise ValueError(f"there are {len(self.samples)} samples, got {sample}")
        return replace(self, sample=sample)

    def set_prostheses(self, prostheses: tuple[Prosthesis, ...], completion: Completion) -> Session:
        """Add the prostheses that were designed for a completion."""
        return replace(self, prostheses=prostheses, designed_on=completion)

    def with_holes_kept_open(self, result: Completion) -> Completion:
        """A completion of the scan without the part of its patch that is to stay open."""
        if self.detection is None:
            return result
        return keep_open(result, self.detection.missing_in_scan, self.marks.kept_open)
