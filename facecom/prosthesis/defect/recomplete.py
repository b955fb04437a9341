"""A completion once more, of a part of its scan: the pose is known and is not looked for again."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from facecom.completion import Completion
from facecom.completion.alignment import prepare_scan
from facecom.completion.assembly import assemble_with_report
from facecom.completion.result import FitContext
from facecom.completion.stages import add_skin_detail, face_sigma, fit_face, observed_share, project_face, stitch_face
from facecom.fitting.pose_hypotheses import PoseHypothesis
from facecom.geometry.mesh import Bools
from facecom.skin.detail import Detail


def recomplete(completion: Completion, kept: Bools) -> Completion:
    """Complete what is left of a scan, with the settings of before.

    Parameters
    ----------
    kept : (F,) bool, faces of the cleaned scan that stay

    Returns
    -------
    Completion
        In mm, in the frame of the scan in mm; with skin detail where the first one has it.

    Raises
    ------
    ScanError
        When too little of the scan is left.
    """
    before = completion.evidence
    model, settings = before.model, before.settings
    rest, _ = before.scan.mm.mesh.submesh(kept)
    scan = prepare_scan(rest, unit="mm", settings=settings)
    report = completion.report
    start = PoseHypothesis(before.fit.pose, before.fit.code, score=report.score, rms_mm=report.fit_rms_mm, prior=0.0)
    fitted = fit_face(scan, model, start, {}, replace(settings, more_starts=0))
    projected = project_face(scan, model, fitted, settings)
    sigma = face_sigma(model, fitted, projected, settings)
    joined = stitch_face(scan, model.template, fitted, projected, settings)
    skin: Detail | None = None
    problems: tuple[str, ...] = ()
    if completion.detail is not None:
        choice: Literal["own", "synthetic"] = "synthetic" if completion.detail.synthetic else "own"
        skin, problems = add_skin_detail(scan, model.template, fitted, projected, choice, settings)
    evidence = FitContext(scan, model, fitted, projected, joined, settings)
    coverage = observed_share(model.template, projected, settings)
    done = assemble_with_report(evidence, start, sigma, coverage=coverage, skin=skin, unguided=fitted)
    return replace(done, report=replace(done.report, warnings=done.report.warnings + problems))
