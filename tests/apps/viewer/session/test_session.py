"""Sessions: what follows from what, and what is dropped."""

from dataclasses import replace

import numpy as np
import pytest

from facecom.apps.viewer.http.uploads import UploadedScan
from facecom.apps.viewer.session.session import FaceDetection, Session
from facecom.errors import ScanError
from facecom.geometry.mesh import Mesh
from facecom.geometry.transform import Similarity


@pytest.fixture
def loaded(scan):
    return Session().load(UploadedScan("scan.ply", scan))


@pytest.fixture
def finished(loaded, completion):
    return loaded.set_result(completion)


def test_a_scan_is_shown_in_the_middle_and_at_the_size_of_a_head(loaded):
    place = loaded.to_display.apply(loaded.scan.vertices)
    assert np.allclose(0.5 * (place.min(axis=0) + place.max(axis=0)), 0.0, atol=1e-9)
    assert np.ptp(place, axis=0).max() == pytest.approx(250.0)


def test_a_vertex_that_is_not_finite_does_not_move_the_view(scan):
    holey = Mesh(np.vstack([scan.vertices, [np.nan, 0, np.inf]]), scan.faces)
    one, two = (Session().load(UploadedScan("s", m)).to_display.matrix() for m in (scan, holey))
    assert np.array_equal(one, two)


def test_once_the_face_is_found_it_is_shown_upright(loaded, completion, finished):
    pose = Similarity(translation=[1, 2, 3])
    found = loaded.set_detection(FaceDetection(pose, loaded.scan))
    assert found.to_display is pose
    assert finished.to_display is completion.pose


def test_marks_cut_the_triangles_that_they_touch_and_no_others(loaded):
    chosen = np.array([0, 7, 100])
    marked = loaded.mark(chosen)
    touched = np.isin(loaded.scan.faces, chosen).any(axis=1)
    kept = marked.unmarked_scan()
    assert len(kept.faces) == np.count_nonzero(~touched)
    assert set(map(tuple, kept.vertices)) <= set(map(tuple, loaded.scan.vertices))
    assert marked.mark(chosen[:2], missing=False).marked.sum() == 1
    assert marked.unmark_all().unmarked_scan() is loaded.scan
    assert not loaded.marked.any()


def test_a_scan_without_marks_is_completed_as_it_is(loaded):
    assert loaded.unmarked_scan() is loaded.scan


def test_there_must_be_a_scan_and_some_of_it_left(loaded):
    with pytest.raises(ScanError, match="no scan"):
        Session().unmarked_scan()
    with pytest.raises(ScanError, match="all of the scan"):
        loaded.mark(np.arange(len(loaded.marked))).unmarked_scan()


def test_marking_drops_the_result_and_all_that_follows_from_it(finished, completion):
    name, place = next(iter(finished.movable_landmarks().items()))
    tried = finished.draw_samples(2).select_sample(1).drag_landmark(name, place + [1, 0, 0]).set_prostheses(("part",))
    after = tried.mark(np.array([3]))
    assert (after.result, after.refitted, after.samples, after.prostheses, after.sample) == (None, None, (), (), 0)
    assert after.dragged == {}
    assert after.scan is finished.scan


def test_a_new_scan_drops_everything(finished, scan):
    after = finished.load(UploadedScan("other.ply", scan))
    assert after.name == "other.ply"
    assert after.result is None


def test_landmarks_of_the_missing_part_alone_are_offered(finished, completion):
    names = set(finished.movable_landmarks())
    assert "nose_bridge_4" in names
    assert not any(name.startswith(("left_eye", "right_eye", "outer_lip", "left_brow")) for name in names)
    assert Session().movable_landmarks() == {}


def test_a_dragged_landmark_reaches_its_target_and_observed_parts_stay(finished, completion):
    goal = finished.movable_landmarks()["nose_bridge_4"] + [2.0, 0.0, 1.5]
    dragged = finished.drag_landmark("nose_bridge_4", goal)
    assert np.linalg.norm(dragged.movable_landmarks()["nose_bridge_4"] - goal) < 0.5
    assert dragged.displayed is dragged.refitted
    deep = completion.context.mobility < 1e-9
    assert np.array_equal(dragged.displayed.face.vertices[deep], completion.face.vertices[deep])
    assert np.array_equal(dragged.undo_dragging().displayed.face.vertices, completion.face.vertices)


def test_two_landmarks_are_held_at_once(finished):
    names = ["nose_bridge_4", "nose_bridge_3"]
    goals = {name: finished.movable_landmarks()[name] + [1.5, 0.0, 1.0] for name in names}
    both = finished.drag_landmark(names[0], goals[names[0]]).drag_landmark(names[1], goals[names[1]])
    for name in names:
        assert np.linalg.norm(both.movable_landmarks()[name] - goals[name]) < 0.6


def test_observed_and_unknown_landmarks_are_refused(finished):
    with pytest.raises(ValueError, match="observed"):
        finished.drag_landmark("left_exocanthion", np.zeros(3))
    with pytest.raises(ValueError, match="no landmark"):
        finished.drag_landmark("nosetip7", np.zeros(3))
    with pytest.raises(ScanError, match="no result"):
        Session().drag_landmark("nose_tip", np.zeros(3))


def test_samples_differ_and_none_is_the_most_likely(finished, completion):
    drawn = finished.draw_samples(3)
    assert drawn.draw_samples(3) is drawn
    faces = [drawn.select_sample(k).displayed for k in range(4)]
    assert faces[0] is completion
    spread = [np.abs(f.face.vertices - completion.face.vertices).max() for f in faces[1:]]
    assert min(spread) > 0.1
    with pytest.raises(ValueError, match="3 samples"):
        drawn.select_sample(4)


def test_dragging_leaves_the_samples(finished):
    name, place = next(iter(finished.movable_landmarks().items()))
    assert finished.draw_samples(2).select_sample(2).drag_landmark(name, place).sample == 0


def test_skin_relief_of_the_most_likely_face_is_not_that_of_another(finished, completion):
    """It lies where that face was."""
    relief = replace(completion, detail=object())
    done = finished.set_result(relief)
    name, place = next(iter(done.movable_landmarks().items()))
    assert done.displayed.detail is relief.detail
    assert done.drag_landmark(name, place + [1, 0, 0]).displayed.detail is None
    assert done.draw_samples(1).select_sample(1).displayed.detail is None
    assert done.drag_landmark(name, place).undo_dragging().displayed.detail is relief.detail
