"""The scan as it is painted on."""

from dataclasses import replace

import numpy as np
import pytest

from facecom.apps.viewer.http.uploads import UploadedScan
from facecom.apps.viewer.scene import scan_scene
from facecom.apps.viewer.scene.painted_mesh import MARK_OFFSET_MM
from facecom.apps.viewer.session.job_results import AppliedMarks, FaceDetection
from facecom.apps.viewer.session.marks import Tool
from facecom.apps.viewer.session.session import Session
from facecom.geometry.mesh import Mesh


@pytest.fixture
def loaded(scan):
    return Session().load(UploadedScan("scan.ply", scan))


def test_an_empty_session_has_an_empty_scene():
    assert scan_scene.scan_scene(Session()).meshes == {}


def test_the_scan_its_missing_region_and_its_marks(loaded, completion):
    found = FaceDetection(completion.pose, completion.template.mesh(1))
    view = scan_scene.scan_scene(loaded.set_detection(found).paint(np.array([5]), Tool.MARK_MISSING))
    assert set(view.meshes) == {"scan", "missing", "marked"}
    assert np.allclose(view.meshes["scan"].mesh.vertices, completion.pose.apply(loaded.scan.vertices))
    marked = view.meshes["marked"]
    assert len(marked.mesh.faces) == np.isin(loaded.scan.faces, 5).any(axis=1).sum()
    assert np.allclose(marked.colors, scan_scene.MARKED_COLOR)


def test_faces_of_vertices_that_are_not_finite_are_not_shown_and_the_others_keep_their_index(scan):
    broken = scan.vertices.copy()
    broken[3] = np.nan
    shown = scan_scene.displayed_scan(Session().load(UploadedScan("s", Mesh(broken, scan.faces))))
    assert np.isfinite(shown.vertices).all()
    assert len(shown.vertices) == len(scan.vertices)
    assert not (shown.faces == 3).any()


def test_each_kind_of_mark_has_its_colour_and_its_word(loaded, completion):
    found = np.zeros(len(loaded.scan.vertices), bool)
    found[100] = True
    session = loaded.set_detection(FaceDetection(completion.pose, completion.template.mesh(1), found))
    session = session.paint(np.array([5]), Tool.MARK_MISSING).paint(np.array([50]), Tool.MARK_DOUBTED)
    view = scan_scene.scan_scene(session)
    colors = {name: tuple(view.meshes[name].colors[0]) for name in ("found", "marked", "doubted")}
    assert colors == {
        "found": scan_scene.FOUND_COLOR,
        "marked": scan_scene.MARKED_COLOR,
        "doubted": scan_scene.DOUBTED_COLOR,
    }
    assert all(text in view.legend for name, text in scan_scene.LEGEND.items() if name in view.meshes)
    assert scan_scene.KEPT_OPEN_LEGEND not in view.legend and scan_scene.LEGEND["left out"] not in view.legend


def test_what_a_completion_makes_of_marks_takes_their_place_and_is_lighter_where_nobody_painted(loaded, completion):
    session = loaded.set_detection(FaceDetection(completion.pose, completion.template.mesh(1)))
    session = session.paint(np.array([5]), Tool.MARK_MISSING)
    out, nothing = session.scan.submesh(np.isin(session.scan.faces, 5).any(axis=1))[0], Mesh(np.zeros((0, 3)), [])
    view = scan_scene.scan_scene(session.set_applied(AppliedMarks(out, nothing)))
    assert set(view.meshes) == {"scan", "missing", "left out"}  # the border is where the job will have it
    assert scan_scene.LEGEND["marked"] in view.legend and scan_scene.LEGEND["left out"] in view.legend
    shown, place = view.meshes["left out"], completion.pose.apply(out.vertices)
    assert np.allclose(np.linalg.norm(shown.mesh.vertices - place, axis=1), MARK_OFFSET_MM)
    painted = (out.vertices == session.scan.vertices[5]).all(axis=1)
    assert painted.sum() == 1 and np.allclose(shown.colors[painted], scan_scene.MARKED_COLOR)
    assert np.allclose(shown.colors[~painted], scan_scene.LEFT_OUT_COLOR)
    assert "left out" not in scan_scene.scan_scene(session.paint(np.array([6]), Tool.MARK_MISSING)).meshes


def test_a_scan_that_is_inside_out_is_shown_outwards(loaded, completion):
    """Marks would lie below its surface."""
    turned = Mesh(loaded.scan.vertices, loaded.scan.faces[:, ::-1])
    detection = FaceDetection(completion.pose, completion.template.mesh(1), inside_out=True)
    shown = scan_scene.displayed_scan(replace(loaded, scan=turned).set_detection(detection))
    assert np.array_equal(shown.faces, loaded.scan.faces)
