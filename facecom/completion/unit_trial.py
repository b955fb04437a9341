"""The face searched for in the unit that a scan's size suggests, and where that shows none, in what else it may be.

A head of 20 cm measures 8 inches, and 8 cm are a piece of a face: the size alone does not tell inches from centimetres.
"""

from __future__ import annotations

from dataclasses import replace

from facecom.completion.alignment import refuse_second_face, scan_of, search_face
from facecom.completion.face_size import face_size, is_usual_size, size_remark
from facecom.completion.free_scale import align_free, scale_warning
from facecom.completion.landmark_check import check_landmarks
from facecom.completion.other_sizes import face_of_other_size, start_from
from facecom.completion.state import CompletionState, known
from facecom.errors import AlignmentError, FacecomError
from facecom.fitting.pose_hypotheses import PoseHypothesis
from facecom.model.protocol import FaceModel
from facecom.model.template import COARSEST_LEVEL


def align_in_likely_unit(state: CompletionState) -> CompletionState:
    """The state with the pose of the face, and with the scan in the unit in which it shows one.

    Raises
    ------
    AlignmentError
        When no pose makes the scan look like a face in any unit that it may have, or when it shows two.
    ValueError
        When landmarks do not belong to the scan.
    """
    scan, model = known(state.scan, "clean"), known(state.model, "load model")
    check_landmarks(state.landmarks_mm, scan, model.template, with_scale=scan.unit == "free")
    if scan.unit == "free":
        start, found = align_free(scan, model, state.landmarks_mm, state.settings)
        return replace(state, hypothesis=start, scan=found, warnings=(*state.warnings, scale_warning(found)))
    try:
        chosen = _searched(state)
        if not is_usual_size(_size_of(known(chosen.hypothesis, "align"), model)):
            chosen = _in_other_unit(state) or chosen
    except AlignmentError as error:
        chosen = _in_other_unit(state) or _of_other_size(state, error)
    if len(state.landmarks) < 3:
        start, side = known(chosen.hypothesis, "align"), known(chosen.scan, "clean")
        refuse_second_face(start, side, model, state.settings)
    return chosen


def _searched(state: CompletionState) -> CompletionState:
    scan, model = known(state.scan, "clean"), known(state.model, "load model")
    start, side = search_face(scan, model, state.landmarks_mm, state.settings)
    return replace(state, hypothesis=start, scan=side)


def _in_other_unit(state: CompletionState) -> CompletionState | None:
    """The state with the scan read as what else it may be, where that plainly shows a face of a usual size."""
    scan, model = known(state.scan, "clean"), known(state.model, "load model")
    for candidate in scan.other_units:
        read = scan_of(
            scan.mesh,
            candidate.unit,
            candidate.scale_to_mm,
            removed=scan.removed,
            settings=state.settings,
            doubted=scan.doubted,
            defect=scan.defect,
        )
        try:
            found = _searched(replace(state, scan=read))
        except FacecomError:
            continue
        start = known(found.hypothesis, "align")
        if state.settings.acceptance.convinces(start) and is_usual_size(_size_of(start, model)):
            said = f"the unit was taken as {candidate.unit}: read in {scan.unit} the scan shows no face of a usual size"
            return replace(found, warnings=(*found.warnings, said))
    return None


def _of_other_size(state: CompletionState, error: AlignmentError) -> CompletionState:
    """The state with the pose of a face of another size than a mean face's; else the error, which then names the size.

    Raises
    ------
    AlignmentError
        When there is none, or one of an impossible size.
    """
    scan, model = known(state.scan, "clean"), known(state.model, "load model")
    found = None if len(state.landmarks) >= 3 else face_of_other_size(scan, model, state.settings)
    if found is None:
        raise AlignmentError(f"{error}{_unit_advice(state)}") from error
    pair = start_from(found, scan, model, state.settings)
    if pair is None:
        remark = size_remark(found.size)
        raise AlignmentError(f"{error}; {remark}" if remark else f"{error}{_unit_advice(state)}") from error
    return replace(state, hypothesis=pair[0], scan=pair[1])


def _size_of(start: PoseHypothesis, model: FaceModel) -> float:
    return face_size(model.decode(start.code, level=COARSEST_LEVEL), model.template)


def _unit_advice(state: CompletionState) -> str:
    """What to say of the unit where it was guessed."""
    if state.unit != "auto" or state.mm_per_unit is not None:
        return ""
    scan = known(state.scan, "clean")
    read = " or ".join((scan.unit, *(candidate.unit for candidate in scan.other_units)))
    return f"; its size was read in {read}: if that is wrong give --unit, or --unit free if it has no scale"
