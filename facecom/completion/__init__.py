"""The whole job: a partial scan in, the whole face out, what of it was measured and how sure the rest is."""

from facecom.completion.alignment import align_scan, face_mask, pose_references, prepare_scan, vertex_weights
from facecom.completion.assembly import scan_to_face
from facecom.completion.coverage import Coverage, check_coverage, measure_coverage
from facecom.completion.pipeline import Progress, complete
from facecom.completion.result import Completion, FitContext, GuidanceRecord
from facecom.completion.stages import (
    add_skin_detail,
    apply_guidance,
    correspondence_finder,
    face_sigma,
    fit_face,
    mean_squared_code,
    observed_share,
    project_face,
    render_guidance,
    stitch_face,
)
from facecom.completion.types import (
    AcceptanceThresholds,
    CompletionSettings,
    DetailChoice,
    Report,
    Scan,
)

__all__ = [
    "Completion",
    "CompletionSettings",
    "DetailChoice",
    "FitContext",
    "GuidanceRecord",
    "Progress",
    "Report",
    "Scan",
    "Coverage",
    "AcceptanceThresholds",
    "apply_guidance",
    "complete",
    "observed_share",
    "face_mask",
    "measure_coverage",
    "face_sigma",
    "vertex_weights",
    "align_scan",
    "fit_face",
    "stitch_face",
    "check_coverage",
    "mean_squared_code",
    "correspondence_finder",
    "prepare_scan",
    "project_face",
    "pose_references",
    "scan_to_face",
    "add_skin_detail",
    "render_guidance",
]
