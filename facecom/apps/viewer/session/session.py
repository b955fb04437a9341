"""What a client works on: the scan, its marks, the result and its variants. Values, no page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from facecom.apps.viewer.http.uploads import UploadedScan
from facecom.apps.viewer.session.job_results import AppliedMarks, DesignedParts, FaceDetection
from facecom.apps.viewer.session.keep_open import keep_open
from facecom.apps.viewer.session.marks import MarkKind, PaintedMarks, Tool
from facecom.apps.viewer.session.scan_unit import ScanUnit
from facecom.completion import Completion
from facecom.completion.marking import ScanMarks
from facecom.errors import ScanError
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh
from facecom.geometry.transform import Similarity
from facecom.scan.marks import Marks

MIN_MOBILITY = 0.3
"""Landmarks of at least this mobility (0 observed, 1 deep in a hole) can be dragged."""
DRAG_SIGMA_MM = 0.01
"""Standard deviation of a dragged landmark: it outweighs a posterior that is sure."""
DISPLAY_SIZE_MM = 250.0
"""Size at which a scan is displayed before its unit is known: that of a head."""


@dataclass(frozen=True, eq=False)
class Session:
    """The work of a client; each step gives a new value.

    A result is kept when the marks change, and parts when another face is shown: both took a while, and the session
    knows what they belong to.

    Parameters
    ----------
    name : str, display name of the scan
    scan : Mesh with faces or None, own frame and unit
    reading_warnings : what the reader of the scan had to say
    unit : ScanUnit, what the visitor says of the scan's unit
    marks : PaintedMarks, what is painted on the scan and on the detected missing region
    snap : whether borders of marks move to creases and steps
    applied : AppliedMarks or None, what a completion will make of the marks, once that is known
    detection : FaceDetection or None
    result : Completion or None, the most likely one
    result_marks : PaintedMarks or None, those that the result was made with
    result_snap : whether their borders were snapped
    dragged : name of a landmark -> (3,) its target, face frame, mm
    samples : other faces from the posterior
    sample : which of them is displayed, counted from 1; 0 for none
    refitted : Completion or None, the result after dragging
    prostheses : DesignedParts or None, the parts that were designed last
    designed_on : Completion or None, the one that they are for

    Examples
    --------
    >>> scan = Mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]])
    >>> Session().load(UploadedScan("flat.ply", scan)).paint(np.array([0]), Tool.MARK_MISSING).marks.missing.tolist()
    [True, False, False]
    """

    name: str = ""
    scan: Mesh | None = None
    reading_warnings: tuple[str, ...] = ()
    unit: ScanUnit = field(default_factory=ScanUnit)
    marks: PaintedMarks = field(default_factory=PaintedMarks.none)
    snap: bool = True
    applied: AppliedMarks | None = None
    detection: FaceDetection | None = None
    result: Completion | None = None
    result_marks: PaintedMarks | None = None
    result_snap: bool = True
    dragged: Mapping[str, Floats] = field(default_factory=dict)
    samples: tuple[Completion, ...] = ()
    sample: int = 0
    refitted: Completion | None = None
    prostheses: DesignedParts | None = None
    designed_on: Completion | None = None

    @property
    def outdated(self) -> bool:
        """Whether the marks have changed since the result was made."""
        if self.result is None or self.result_marks is None:
            return False
        marked = bool(self.marks.left_out.any() or self.marks.doubted.any())
        return not self.marks.same_as(self.result_marks) or (marked and self.snap is not self.result_snap)

    @property
    def displayed_prostheses(self) -> DesignedParts | None:
        """The parts for the displayed face; None where there are none, or they are for another one."""
        return self.prostheses if self.designed_on is self.displayed else None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a visitor should know of the scan, its completion and the parts that are displayed."""
        found = self.reading_warnings
        if self.displayed is not None:
            found += self.displayed.report.warnings
        elif self.detection is not None:
            found += self.detection.warnings
        parts = self.displayed_prostheses
        return tuple(dict.fromkeys(found + (() if parts is None else parts.warnings)))

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

    def load(self, upload: UploadedScan, unit: ScanUnit | None = None) -> Session:
        """Begin anew with a scan; whether borders are snapped stays as it is."""
        return Session(
            name=upload.name,
            scan=upload.mesh,
            reading_warnings=upload.warnings,
            unit=unit or ScanUnit(),
            marks=PaintedMarks.none(len(upload.mesh.vertices)),
            snap=self.snap,
        )

    def read_in(self, unit: ScanUnit) -> Session:
        """The scan in another unit, with what is painted on it and nothing that was made of it."""
        upload = UploadedScan(self.name, self.required_scan(), self.reading_warnings)
        nothing = PaintedMarks.none(len(self.marks.missing))
        kept = replace(nothing, missing=self.marks.missing, doubted=self.marks.doubted)
        return replace(self.load(upload, unit), marks=kept)

    def set_detection(self, detection: FaceDetection) -> Session:
        """Add the detected face, and what was found of a defect to the marks."""
        blank = PaintedMarks.none(len(self.marks.missing), len(detection.missing.vertices))
        found = blank.found if detection.found is None else detection.found
        marks = replace(blank, missing=self.marks.missing, doubted=self.marks.doubted, found=found)
        return replace(self, detection=detection, marks=marks)

    def paint(self, touched: Ints, tool: Tool) -> Session:
        """Apply a stroke; see `PaintedMarks.paint`."""
        return self._marked(self.marks.paint(touched, tool))

    def replace_marks(self, kind: MarkKind, marked: Bools) -> Session:
        """Put these vertices (V,) in place of all that was marked so; see `PaintedMarks.replaced`."""
        return self._marked(self.marks.replaced(kind, marked))

    def undo_stroke(self) -> Session:
        """Take the last stroke back."""
        return self._marked(self.marks.undo())

    def unmark_all(self) -> Session:
        """Drop all marks; what was found counts again."""
        return self._marked(self.marks.clear(self._found))

    def set_snap(self, snap: bool) -> Session:
        """Choose whether borders of marks move to creases and steps."""
        return replace(self, snap=snap, applied=None)

    def set_applied(self, applied: AppliedMarks) -> Session:
        """Add what a completion will make of the marks."""
        return replace(self, applied=applied)

    def _marked(self, marks: PaintedMarks) -> Session:
        return replace(self, marks=marks, applied=None)

    @property
    def _found(self) -> Bools:
        found = None if self.detection is None else self.detection.found
        return np.zeros(len(self.marks.missing), bool) if found is None else found

    def required_scan(self) -> Mesh:
        """The scan.

        Raises
        ------
        ScanError
            When there is none.
        """
        if self.scan is None:
            raise ScanError("there is no scan yet; upload one")
        return self.scan

    def marked_points(self, kind: MarkKind) -> Marks:
        """Marks of a kind as painted points, in the scan's own frame and unit."""
        scan = self.required_scan()
        return Marks(points=scan.vertices[self.marks.of_kind(kind) & np.isfinite(scan.vertices).all(axis=1)])

    @property
    def scan_marks(self) -> ScanMarks:
        """What a completion is told: to look for a defect, as long as nobody changed what was found, or the marks."""
        as_found = not self.marks.missing.any() and np.array_equal(self.marks.found, self._found)
        return ScanMarks(
            missing=Marks() if as_found else self.marked_points(MarkKind.MISSING),
            doubted=self.marked_points(MarkKind.DOUBTED),
            find=as_found,
            snap=self.snap,
        )

    def set_result(self, result: Completion, *, of: Session | None = None) -> Session:
        """Add a completion of the scan with its marks; drops what was changed on the one before.

        Parameters
        ----------
        of : the session whose marks it was made with; this one unless given
        """
        made = of or self
        return replace(
            self,
            result=result,
            result_marks=made.marks,
            result_snap=made.snap,
            dragged={},
            samples=(),
            sample=0,
            refitted=None,
        )

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

    def set_prostheses(self, prostheses: DesignedParts, completion: Completion) -> Session:
        """Add the prostheses that were designed for a completion."""
        return replace(self, prostheses=prostheses, designed_on=completion)

    def with_holes_kept_open(self, result: Completion) -> Completion:
        """A completion of the scan without the part of its patch that is to stay open."""
        if self.detection is None:
            return result
        return keep_open(result, self.detection.missing_in_scan, self.marks.kept_open)
