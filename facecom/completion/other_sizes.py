"""A face that is larger or smaller than the search for a mean face finds: of a large person, or of a wrong unit."""

from __future__ import annotations

from dataclasses import dataclass, replace

from facecom.completion.alignment import (
    REFERENCE_INSET_MM,
    flip_orientation,
    near_best,
    pose_hypotheses,
    pose_references,
)
from facecom.completion.face_size import face_size
from facecom.completion.free_scale import read_at, rough_fits
from facecom.completion.types import CompletionSettings, Scan
from facecom.fitting.pose_hypotheses import PoseHypothesis
from facecom.geometry.transform import Similarity
from facecom.model.protocol import FaceModel
from facecom.model.template import COARSEST_LEVEL
from facecom.scan.alignment import PoseCandidate, candidate_poses

OTHER_FACTORS = (0.8, 1.3)
"""How many times as large the scan is read: faces of 105 to 150 % of an adult's size, and of 65 to 95 %."""


@dataclass(frozen=True, eq=False)
class FaceOfOtherSize:
    """A face that was found with the scan read at another size.

    size : of the face as the scan is read, in units of the mean adult's
    candidate : its rigid pose in that reading
    """

    size: float
    candidate: PoseCandidate


def face_of_other_size(scan: Scan, model: FaceModel, settings: CompletionSettings) -> FaceOfOtherSize | None:
    """A face that a scan plainly shows when it is read as larger or smaller; None where it shows none."""
    reference = next(pose_references(model.template, radius_mm=settings.face_radius_mm - REFERENCE_INSET_MM))
    for factor in OTHER_FACTORS:
        read = read_at(scan, factor, settings)
        poses = near_best(candidate_poses(read.for_fit.mesh, reference, settings=settings.align), settings)[0]
        for reading in rough_fits(read, model, poses, factor, settings):
            if settings.acceptance.convinces(reading.start):
                pose, code = reading.start.pose, reading.start.code
                nose = pose.inverse().translation / factor
                rigid = Similarity(pose.rotation, -pose.rotate(nose))  # it grows from the tip of the nose
                fitted = face_size(model.decode(code, level=COARSEST_LEVEL), model.template)
                candidate = PoseCandidate(rigid, reading.start.score, reading.inside_out)
                return FaceOfOtherSize(fitted / (factor * pose.scale), candidate)
    return None


def start_from(
    found: FaceOfOtherSize, scan: Scan, model: FaceModel, settings: CompletionSettings
) -> tuple[PoseHypothesis, Scan] | None:
    """The rough fit to the scan as it is from a face of another size; None where that is not accepted."""
    candidate = found.candidate
    side = flip_orientation(scan, settings) if candidate.inside_out else scan
    tried = pose_hypotheses(side, model, [replace(candidate, inside_out=False)], settings)
    accepted = [start for start, _ in tried if settings.acceptance.accepts(start)]
    return (accepted[0], side) if accepted else None
