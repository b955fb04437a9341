"""Completing a part of a scan once more: the pose is known and is not looked for again."""

from __future__ import annotations

from dataclasses import replace

from facecom.completion import COMPLETION, Completion, CompletionState, finish, known
from facecom.completion.types import DetailChoice
from facecom.fitting.pose_hypotheses import PoseHypothesis
from facecom.geometry.mesh import Bools

RECOMPLETION = COMPLETION.without("read", "load model", "align", "guide", "check coverage")


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
    before, report = completion.state, completion.report
    fitted, scan = known(before.fit, "fit"), known(before.scan, "clean")
    rest, _ = scan.mm.mesh.submesh(kept)
    start = PoseHypothesis(fitted.pose, fitted.code, score=report.score, rms_mm=report.fit_rms_mm, prior=0.0)
    state = CompletionState(
        raw=rest,
        unit="mm",
        model=before.model,
        hypothesis=start,
        settings=replace(before.settings, more_starts=0),
        detail_choice=_detail_choice(completion),
        seed=before.seed,
    )
    return finish(RECOMPLETION.run(state))


def _detail_choice(completion: Completion) -> DetailChoice:
    if completion.detail is None:
        return "none"
    return "synthetic" if completion.detail.synthetic else "own"
