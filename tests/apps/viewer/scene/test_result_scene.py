"""What is shown of a session."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from facecom.apps.viewer.http.uploads import UploadedScan
from facecom.apps.viewer.scene import result_scene
from facecom.apps.viewer.session.marks import Tool
from facecom.apps.viewer.session.session import Session
from facecom.drawing import colors
from facecom.geometry.mesh import Mesh


@pytest.fixture
def loaded(scan):
    return Session().load(UploadedScan("scan.ply", scan))


def test_without_a_result_there_is_none_to_show():
    with pytest.raises(ValueError, match="no result"):
        result_scene.result_scene(Session(), "plain", "whole face")


@pytest.mark.parametrize("layer", ["provenance", "sigma", "distance", "plain"])
def test_scan_and_patch_are_the_merged_surface(loaded, completion, layer):
    view = result_scene.result_scene(loaded.set_result(completion), layer, "scan and patch")
    parts = view.meshes["scan"], view.meshes["patch"]
    assert sum(len(p.mesh.faces) for p in parts) == len(completion.merged.faces)
    assert len(parts[0].mesh.faces) == len(completion.scan.faces)
    assert view.legend


@pytest.mark.parametrize("layer", ["provenance", "sigma", "distance", "plain"])
def test_the_whole_face(loaded, completion, layer):
    face = result_scene.result_scene(loaded.set_result(completion), layer, "whole face").meshes["face"]
    assert len(face.mesh.vertices) == len(face.colors) == len(completion.face.vertices)


def test_provenance_colours_what_is_made_up_and_nothing_else(loaded, completion):
    face = result_scene.result_scene(loaded.set_result(completion), "provenance", "whole face").meshes["face"]
    measured = (np.abs(face.colors - colors.OBSERVED) < 1e-9).all(axis=1)
    assert np.array_equal(measured, completion.provenance == 0)


def test_sigma_is_darker_where_less_sure(loaded, completion):
    face = result_scene.result_scene(loaded.set_result(completion), "sigma", "whole face").meshes["face"]
    light = face.colors.sum(axis=1)
    assert light[np.argmax(completion.sigma_mm)] < light[np.argmin(completion.sigma_mm)] - 0.5


def test_the_scale_of_sigma_is_that_of_what_is_made_up(loaded, completion):
    """However little that is: among many observed vertices none of its values would reach a percentile of all."""
    few = np.zeros(len(completion.sigma_mm), int)
    few[:20] = 2
    sigma = np.full(len(few), 0.02)
    sigma[:20] = np.linspace(0.1, 2.5, 20)
    done = replace(completion, provenance=few, sigma_mm=sigma)
    view = result_scene.result_scene(loaded.set_result(done), "sigma", "whole face")
    light = view.meshes["face"].colors.sum(axis=1)
    assert "dark 5 mm" in view.legend
    assert light[0] - light[19] > 0.8
    assert (np.diff(light[:20]) < 0).all()


def test_sigma_of_a_scan_with_nothing_made_up_has_a_scale(loaded, completion):
    done = replace(completion, provenance=np.zeros(len(completion.sigma_mm), int))
    assert "standard deviation" in result_scene.result_scene(loaded.set_result(done), "sigma", "whole face").legend


def test_a_result_of_earlier_marks_says_so(loaded, completion):
    done = loaded.set_result(completion)
    assert "earlier marks" not in result_scene.result_scene(done, "plain", "whole face").legend
    changed = done.paint(np.array([5]), Tool.MARK_MISSING)
    assert "earlier marks" in result_scene.result_scene(changed, "plain", "whole face").legend


def test_a_layer_that_is_not_there_is_refused(loaded, completion):
    with pytest.raises(ValueError, match="no skin relief"):
        result_scene.result_scene(loaded.set_result(completion), "detail", "whole face")


def test_a_refit_moves_the_patch_and_leaves_the_scan(loaded, completion):
    done = loaded.set_result(completion)
    moved = done.drag_landmark("nose_bridge_4", done.movable_landmarks()["nose_bridge_4"] + [3, 0, 0])
    before, after = (result_scene.result_scene(s, "provenance", "scan and patch").meshes for s in (done, moved))
    assert np.array_equal(before["scan"].mesh.vertices, after["scan"].mesh.vertices)
    assert np.abs(before["patch"].mesh.vertices - after["patch"].mesh.vertices).max() > 1.0


def test_layers_of_a_scan_with_nothing_missing(loaded, completion):
    """Without a patch there is none to show."""
    own = completion.context
    whole = replace(
        completion,
        merged=own.scan.mesh,
        merged_provenance=np.zeros(len(own.scan.mesh.vertices), int),
        merged_sigma_mm=np.full(len(own.scan.mesh.vertices), 0.1),
        state=replace(
            completion.state,
            stitched=replace(
                own.stitched,
                merged=own.scan.mm.mesh,
                added=np.zeros(len(own.scan.mesh.vertices), bool),
                weights=own.stitched.weights[:0],
            ),
        ),
    )
    assert set(result_scene.result_scene(loaded.set_result(whole), "provenance", "scan and patch").meshes) == {"scan"}


def test_skin_detail_is_shown_on_the_scan(loaded, completion):
    points = completion.context.projection.vertices[:60]
    skin = SimpleNamespace(
        mesh=Mesh(points, [[0, 1, 2]]), smooth=Mesh(points, [[0, 1, 2]]), provenance=np.repeat([0, 2], 30)
    )
    with_detail = replace(completion, detail=skin, state=replace(completion.state, detail=skin))
    view = result_scene.result_scene(loaded.set_result(with_detail), "detail", "whole face")
    assert len(view.meshes["scan"].mesh.faces) == len(completion.scan.faces)
    painted = view.meshes["detail"].colors
    assert np.allclose(painted[:30], colors.OBSERVED) and np.allclose(painted[30:], colors.SYNTHESISED)
    assert "detail" in result_scene.available_layers(with_detail)
    assert not {"detail", "colour"} & set(result_scene.available_layers(completion))


def test_colours_of_the_scan_and_of_the_patch(loaded, completion):
    with pytest.raises(ValueError, match="no colours"):
        result_scene.result_scene(loaded.set_result(completion), "colour", "scan and patch")
    meshes = {"face": completion.face, "merged": completion.merged}
    painted = {name: replace(m, colors=np.tile([0.7, 0.4, 0.3], (len(m.vertices), 1))) for name, m in meshes.items()}
    coloured = replace(completion, **painted)
    for body in result_scene.SURFACES:
        for surface in result_scene.result_scene(loaded.set_result(coloured), "colour", body).meshes.values():
            assert np.allclose(surface.colors, [0.7, 0.4, 0.3], atol=1e-3)


def test_what_was_left_out_and_doubted_is_a_layer(loaded, completion):
    """Each triangle of the cleaned scan, where it lay: believed, doubted, or left out."""
    with pytest.raises(ValueError, match="left out or doubted"):
        result_scene.result_scene(loaded.set_result(completion), "defect", "whole face")
    scan = completion.context.scan
    doubted = np.zeros(len(scan.mesh.faces), bool)
    doubted[:30] = True
    bed = scan.mesh.submesh(np.arange(len(doubted)) < 50)[0]
    parted = replace(completion, state=replace(completion.state, scan=replace(scan, doubted=doubted, defect=bed)))
    view = result_scene.result_scene(loaded.set_result(parted), "defect", "scan and patch")
    counts = {name: len(shown.mesh.faces) for name, shown in view.meshes.items()}
    assert counts == {"scan": len(doubted) - 30, "doubted": 30, "defect": 50}
    assert np.allclose(view.meshes["defect"].mesh.vertices, completion.pose.apply(bed.vertices), atol=1e-6)
    assert np.allclose(view.meshes["defect"].colors, result_scene.DEFECT_COLOR)
