"""What one visitor has: the scan, what is marked on it, the result and what was tried on it. Values, no page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from facecom.apps.viewer.http.uploads import Uploaded
from facecom.apps.viewer.session.keep_open import leave_open
from facecom.completion import Completion
from facecom.errors import ScanError
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh
from facecom.geometry.transform import Similarity

if TYPE_CHECKING:
    from facecom.prosthesis import Prosthesis

LOOSE = 0.3
"""A landmark that is at least as free as this (0 measured, 1 deep in a hole) is offered for dragging."""


@dataclass(frozen=True, eq=False)
class Found:
    """Where the face is in a scan, and what of it the scan lacks, as a rough fit sees it.

    pose : Similarity, the scan's own frame and unit -> face frame, mm
    missing : Mesh, face frame
    """

    pose: Similarity
    missing: Mesh

    @property
    def in_scan(self) -> Floats:
        """Vertices (M, 3) of the missing region in the scan's own frame and unit."""
        return self.pose.inverse().apply(self.missing.vertices)


@dataclass(frozen=True, eq=False)
class Session:
    """A visitor's work; each step gives a new one, and drops what no longer follows from it.

    Parameters
    ----------
    name : str, of the scan, as it is shown
    scan : Mesh with faces or None, own frame and unit
    marked : (V,) bool, vertices of the scan that count as missing
    found : Found or None
    spared : (M,) bool, vertices of what was found missing around which nothing is to be made
    result : Completion or None, the most likely one
    dragged : name of a landmark -> (3,) where it was dragged, face frame, mm
    samples : other faces from the posterior
    sample : which of them is shown, 0 for none
    refitted : Completion or None, the result after dragging
    parts : prostheses

    Examples
    --------
    >>> session = Session().load(Uploaded("flat.ply", Mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]])))
    >>> session.mark(np.array([0])).marked.tolist()
    [True, False, False]
    """

    name: str = ""
    scan: Mesh | None = None
    marked: Bools = field(default_factory=lambda: np.zeros(0, bool))
    found: Found | None = None
    spared: Bools = field(default_factory=lambda: np.zeros(0, bool))
    result: Completion | None = None
    dragged: Mapping[str, Floats] = field(default_factory=dict)
    samples: tuple[Completion, ...] = ()
    sample: int = 0
    refitted: Completion | None = None
    parts: tuple[Prosthesis, ...] = ()

    @property
    def shown(self) -> Completion | None:
        """The completion that is looked at: a sample, the result after dragging, or the result."""
        if self.sample:
            return self.samples[self.sample - 1]
        return self.refitted or self.result

    @property
    def frame(self) -> Completion | Found | None:
        """What says where the face is in the scan; None while nothing does."""
        return self.result or self.found

    @property
    def to_display(self) -> Similarity:
        """The scan's own frame -> the one that is shown: the face frame once the face is found."""
        if self.frame is not None:
            return self.frame.pose
        if self.scan is None:
            return Similarity()
        points = self.scan.vertices[np.isfinite(self.scan.vertices).all(axis=1)]
        low, high = points.min(axis=0), points.max(axis=0)
        scale = 250.0 / max(float((high - low).max()), 1e-12)
        return Similarity(translation=-scale * 0.5 * (low + high), scale=scale)

    def load(self, upload: Uploaded) -> Session:
        """Begin anew with a scan."""
        return Session(name=upload.name, scan=upload.mesh, marked=np.zeros(len(upload.mesh.vertices), bool))

    def find(self, found: Found) -> Session:
        """Take in where the face is."""
        return replace(self, found=found, spared=np.zeros(len(found.missing.vertices), bool))

    def mark(self, vertices: Ints, *, missing: bool = True) -> Session:
        """Mark vertices of the scan as missing, or take the mark back; a result that there was is dropped."""
        marked = self.marked.copy()
        marked[vertices] = missing
        return self._without_result(marked=marked)

    def spare(self, vertices: Ints, *, spared: bool = True) -> Session:
        """Leave what was found missing open around some of its vertices, or do not; a result that there was is dropped.

        Parameters
        ----------
        vertices : (N,) int, of the mesh that was found missing
        """
        now = self.spared.copy()
        now[vertices] = spared
        return self._without_result(spared=now)

    def unmark(self) -> Session:
        """Take all marks back."""
        return self._without_result(marked=np.zeros_like(self.marked), spared=np.zeros_like(self.spared))

    def cut(self) -> Mesh:
        """The scan without what is marked, own frame and unit.

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

    def finish(self, result: Completion) -> Session:
        """Take in a completion of the scan without what is marked."""
        return self._without_result(result=result)

    def handles(self) -> dict[str, Floats]:
        """Landmarks that can be dragged, in the missing part, and where they are in the face that is shown."""
        if self.result is None or self.shown is None:
            return {}
        loose, place = self.result.context.mobility, self.shown.context.projection.vertices
        named = self.result.template.landmarks
        return {name: place[k] for name, k in named.items() if loose[k] >= LOOSE}

    def drag(self, name: str, point: Floats, *, sigma_mm: float = 0.01) -> Session:
        """Drag a landmark to a point of the face frame, mm, and refit with all that were dragged.

        Parameters
        ----------
        sigma_mm : how exactly it is to lie there; a hand that drags outdoes a posterior that is sure

        Raises
        ------
        ScanError
            When there is no result yet.
        ValueError
            When the landmark is unknown or lies on measured surface.
        """
        if self.result is None:
            raise ScanError("there is no result yet; complete the scan first")
        dragged = {**self.dragged, name: np.asarray(point, float)}
        back = self.result.pose.inverse()
        refitted = self.result.refit({k: back.apply(p) for k, p in dragged.items()}, sigma_mm=sigma_mm)
        return replace(self, dragged=dragged, refitted=refitted, sample=0, parts=())

    def release(self) -> Session:
        """Undo all dragging."""
        return replace(self, dragged={}, refitted=None, parts=())

    def draw(self, count: int) -> Session:
        """Draw other faces that explain the scan as well, unless they are there."""
        if self.result is None or self.samples:
            return self
        return replace(self, samples=tuple(self.result.samples(count)))

    def look_at(self, sample: int) -> Session:
        """Show a sample, counted from 1, or with 0 the most likely face.

        Raises
        ------
        ValueError
            When there is no such sample.
        """
        if not 0 <= sample <= len(self.samples):
            raise ValueError(f"there are {len(self.samples)} samples, got {sample}")
        return replace(self, sample=sample, parts=())

    def make(self, parts: tuple[Prosthesis, ...]) -> Session:
        """Take in the prostheses of the completion that is shown."""
        return replace(self, parts=parts)

    def opened(self, result: Completion) -> Completion:
        """A completion of the scan with that left open which is to stay so."""
        return result if self.found is None else leave_open(result, self.found.in_scan, self.spared)

    def _without_result(
        self, *, marked: Bools | None = None, spared: Bools | None = None, result: Completion | None = None
    ) -> Session:
        return Session(
            name=self.name,
            scan=self.scan,
            marked=self.marked if marked is None else marked,
            found=self.found,
            spared=self.spared if spared is None else spared,
            result=result,
        )
