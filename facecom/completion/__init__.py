"""The whole job: a partial scan in, the whole face out, what of it was measured and how sure the rest is."""

from facecom.completion.alignment import face_proper, face_trust, find_face, prepare_scan, references
from facecom.completion.assembly import scan_to_face
from facecom.completion.coverage import Seen, face_seen, judge_seen
from facecom.completion.pipeline import Progress, complete
from facecom.completion.result import Completion, Evidence, Pictures
from facecom.completion.stages import (
    believe_pictures,
    face_coverage,
    face_sigma,
    fit_face,
    join_face,
    leading_prior,
    partners_of,
    project_face,
    skin_detail,
    take_pictures,
)
from facecom.completion.types import MADE, MEASURED, CompletionSettings, DetailChoice, Report, Scan, Verdict

__all__ = [
    "MADE",
    "MEASURED",
    "Completion",
    "CompletionSettings",
    "DetailChoice",
    "Evidence",
    "Pictures",
    "Progress",
    "Report",
    "Scan",
    "Seen",
    "Verdict",
    "believe_pictures",
    "complete",
    "face_coverage",
    "face_proper",
    "face_seen",
    "face_sigma",
    "face_trust",
    "find_face",
    "fit_face",
    "join_face",
    "judge_seen",
    "leading_prior",
    "partners_of",
    "prepare_scan",
    "project_face",
    "references",
    "scan_to_face",
    "skin_detail",
    "take_pictures",
]
