"""What a job knows between two of its stages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from facecom.completion.defect_probability import DefectProbability
from facecom.completion.marking import ScanMarks
from facecom.completion.types import CompletionSettings, Coverage, DetailChoice, GuidanceSource, Report, Scan
from facecom.fitting.fit import Fit
from facecom.fitting.pose_hypotheses import PoseHypothesis
from facecom.geometry.mesh import Floats, Mesh
from facecom.geometry.transform import Similarity
from facecom.model.protocol import FaceModel
from facecom.model.template import Template
from facecom.projection.project import Projection
from facecom.scan.units import UnitChoice
from facecom.skin.detail import Detail
from facecom.stitching.stitch import Stitched

if TYPE_CHECKING:
    from facecom.guidance.guide import Guidance

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class GuidanceRecord:
    """What inpainted images told a fit.

    source : what they were asked of; found : Guidance; before : Fit, the fit before it looked at them
    """

    source: GuidanceSource
    found: Guidance
    before: Fit


@dataclass(frozen=True, eq=False)
class FaceFrameScan:
    """The scan in the face frame, mm: `fine` as it was cleaned, `coarse` as the fit used it."""

    fine: Mesh
    coarse: Mesh


@dataclass(frozen=True, eq=False)
class CompletionState:
    """What is known of a job; a stage returns a copy that knows more (`dataclasses.replace`).

    Asked for
        source : the scan as the caller gave it; None once it was read
        unit, mm_per_unit, landmarks : as `complete` takes them, landmarks in the scan's own frame and unit
        guidance_source, detail_choice, seed, settings : as `complete` takes them
        missing, doubted, snap_marks : as `complete` takes them
    Found, None until its stage ran
        raw : Mesh, as it was read; dropped once it was cleaned
        marks : ScanMarks, what the caller says of the scan
        model : the face model
        scan : Scan, cleaned
        hypothesis : the pose that the fit starts from
        fit : Fit, pose and code
        found_mm2 : area of the defect that was found and left out of the scan, mm2
        defect_probability : of each triangle of what is left of the scan; None where no defect was looked for
        guidance : what images told the fit, where any did
        in_face : FaceFrameScan
        coarse_vertices : (V2, 3) mm, face frame, of the guidance level, to project in place of the fitted code's
        projection, coverage, sigma_mm : the face on the scan; how much of it was observed; (V,) standard deviations
        stitched : the scan with the missing part filled in, face frame, mm
        detail : skin relief, face frame, mm
        report : Report
    On the way
        warnings : sentences for the caller
        seconds : by stage
    """

    source: Any = None
    unit: UnitChoice = "auto"
    mm_per_unit: float | None = None
    landmarks: Mapping[str, Any] = field(default_factory=dict)
    guidance_source: GuidanceSource = "none"
    detail_choice: DetailChoice = "none"
    seed: int = 0
    missing: Any = "none"
    doubted: Any = None
    snap_marks: bool = True
    settings: CompletionSettings = field(default_factory=CompletionSettings)
    raw: Mesh | None = None
    marks: ScanMarks = field(default_factory=ScanMarks)
    model: FaceModel | None = None
    scan: Scan | None = None
    hypothesis: PoseHypothesis | None = None
    fit: Fit | None = None
    found_mm2: float = 0.0
    defect_probability: DefectProbability | None = None
    guidance: GuidanceRecord | None = None
    in_face: FaceFrameScan | None = None
    coarse_vertices: Floats | None = None
    projection: Projection | None = None
    coverage: Coverage | None = None
    sigma_mm: Floats | None = None
    stitched: Stitched | None = None
    detail: Detail | None = None
    report: Report | None = None
    warnings: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def template(self) -> Template:
        """The template of the model."""
        return known(self.model, "load model").template

    @property
    def landmarks_mm(self) -> dict[str, Floats]:
        """Name -> (3,) float, mm, in the scan's own frame."""
        mm_per_unit = known(self.scan, "clean").mm_per_unit
        return {name: np.asarray(point, float) * mm_per_unit for name, point in self.landmarks.items()}

    @property
    def face_to_scan(self) -> Similarity:
        """Face frame, mm -> the scan's own frame and unit."""
        pose = known(self.fit, "fit").pose
        return Similarity(scale=1.0 / known(self.scan, "clean").mm_per_unit) @ pose.inverse()


def known(value: T | None, stage: str) -> T:
    """What a stage found, for one that comes after it.

    Raises
    ------
    ValueError
        When that stage has not run.

    Examples
    --------
    >>> known(None, "fit")
    Traceback (most recent call last):
    ValueError: this stage needs what the stage 'fit' finds; let the pipeline run 'fit' before it
    """
    if value is None:
        raise ValueError(f"this stage needs what the stage {stage!r} finds; let the pipeline run {stage!r} before it")
    return value
