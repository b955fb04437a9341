"""What a client works on: the scan, its marks, the result and its variants. Values, no page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from facecom.apps.viewer.http.uploads import UploadedScan
from facecom.apps.viewer.session.keep_open import keep_open
from facecom.completion import Completion
from facecom.errors import ScanError
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh
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
    """The work of a client; each step gives a new value, without what no longer follows from it.

    Parameters
    ----------
    name : str, display name of the scan
    scan : Mesh with faces or None, own frame and unit
    marked : (V,) bool, vertices of the scan that count as missing
    detection : FaceDetection or None
    kept_open : (M,) bool, vertices of the detected missing region that are to stay open
    result : Completion or None, the most likely one
    dragged : name of a landmark -> (3,) its target, face frame, mm
    samples : other faces from the posterior
    sample : which of them is displayed, counted from 1; 0 for none
    refitted : Completion or None, the result after dragging
    prostheses : of the displayed completion

    Examples
    --------
    >>> scan = Mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]])
    >>> Session().load(UploadedScan("flat.ply", scan)).mark(np.array([0])).marked.tolist()
    [True, False, False]
    """

    name: str = ""
    scan: Mesh | None = None
    marked: Bools = field(default_factory=lambda: np.zeros(0, bool))
    detection: FaceDetection | None = None
    kept_open: Bools = field(default_factory=lambda: np.zeros(0, bool))
    result: Completion | None = None
    dragged: Mapping[str, Floats] = field(default_factory=dict)
    samples: tuple[Completion, ...] = ()
    sample: int = 0
    refitted: Completion | None = None
    prostheses: tuple[Prosthesis, ...] = ()

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
        return Session(name=upload.name, scan=upload.mesh, marked=np.zeros(len(upload.mesh.vertices), bool))

    def set_detection(self, detection: FaceDetection) -> Session:
        """Add the detected face."""
        return replace(self, detection=detection, kept_open=np.zeros(len(detection.missing.vertices), bool))

    def mark(self, vertices: Ints, *, missing: bool = True) -> Session:
        """Mark vertices of the scan as missing, or as not missing; drops the result.

        Parameters
        ----------
        vertices : (N,) int, of the scan
        """
        marked = self.marked.copy()
        marked[vertices] = missing
        return self._without_result(marked=marked)

    def keep_open(self, vertices: Ints, *, is_open: bool = True) -> Session:
        """Keep the detected missing region open at some of its vertices, or fill it there; drops the result.

        Parameters
        ----------
        vertices : (N,) int, of the missing region
        """
        kept_open = self.kept_open.copy()
        kept_open[vertices] = is_open
        return self._without_result(kept_open=kept_open)

    def unmark_all(self) -> Session:
        """Drop all marks, and the result."""
        return self._without_result(marked=np.zeros_like(self.marked), kept_open=np.zeros_like(self.kept_open))

    def unmarked_scan(self) -> Mesh:
        """The scan without its marked vertices, own frame and unit.

        Raises
        ------
        ScanError
            When there is no scan, or all of it is marked.
        """
        if self.scan is None:
            raise ScanError("there is no scan yet; upload one")
        if not self.marked.any():
            return self.scan
        keep = np.asarray(~self.marked[self.scan.faces].any(axis=1))
        if not keep.any():
            raise ScanError("all of the scan is marked as missing; take some of the marks back")
        return self.scan.submesh(keep)[0]

    def set_result(self, result: Completion) -> Session:
        """Add a completion of the scan without its marked vertices."""
        return self._without_result(result=result)

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
        return replace(self, dragged=dragged, refitted=refitted, sample=0, prostheses=())

    def undo_dragging(self) -> Session:
        """Undo all dragging."""
        return replace(self, dragged={}, refitted=None, prostheses=())

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
        return replace(self, sample=sample, prostheses=())

    def set_prostheses(self, prostheses: tuple[Prosthesis, ...]) -> Session:
        """Add the prostheses of the displayed completion."""
        return replace(self, prostheses=prostheses)

    def with_holes_kept_open(self, result: Completion) -> Completion:
        """A completion of the scan without the part of its patch that is to stay open."""
        return result if self.detection is None else keep_open(result, self.detection.missing_in_scan, self.kept_open)

    def _without_result(
        self, *, marked: Bools | None = None, kept_open: Bools | None = None, result: Completion | None = None
    ) -> Session:
        return Session(
            name=self.name,
            scan=self.scan,
            marked=self.marked if marked is None else marked,
            detection=self.detection,
            kept_open=self.kept_open if kept_open is None else kept_open,
            result=result,
        )
