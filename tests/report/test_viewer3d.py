"""The 3D view of a report: what the page receives."""

import json
from base64 import b64decode

import numpy as np
import pytest

from facecom.report import viewer3d
from facecom.report.display_data import DisplayData


def unpack(array, step=1.0):
    return np.frombuffer(b64decode(array["data"]), array["type"].replace("u", "<u").replace("i", "<i")) * step


@pytest.mark.slow
def test_a_large_scan_makes_no_larger_view(completion, data, sheet):
    wide = sheet(400, 400)
    x, y = wide.vertices[:, :2].T - 200
    own = DisplayData(completion)
    own.__dict__["scan"] = wide.with_vertices(np.stack([x, y, 30 * np.cos(0.02 * x) * np.cos(0.02 * y)], 1))
    faces = viewer3d.scene(own)["objects"]["scan"]["faces"]["data"]
    assert 0 < len(b64decode(faces)) <= 3 * 4 * viewer3d.MAX_SCAN_FACES


def test_the_view_holds_the_face_to_a_hundredth_of_a_millimetre(data):
    scene = viewer3d.scene(data)
    face = scene["objects"]["face"]
    found = unpack(face["xyz"], scene["step_mm"]).reshape(-1, 3)
    assert np.abs(found - data.face.vertices).max() < 0.01
    assert np.array_equal(unpack(face["faces"]).reshape(-1, 3), data.face.faces)
    assert np.array_equal(unpack(face["provenance"]), data.provenance)
    sigma = unpack(face["sigma"], scene["high"]["sigma"] / scene["levels"])
    inside = data.result.sigma_mm < scene["high"]["sigma"]
    assert np.abs(sigma - data.result.sigma_mm)[inside].max() <= scene["high"]["sigma"] / scene["levels"]
    assert (unpack(face["distance"])[~data.observed] == 255).all()
    json.loads(viewer3d.json_for_script(scene))


def test_a_residual_of_the_scan_is_shown_and_hair_has_no_distance(completion, data):
    """Two millimetres off over a cheek; what is as far as hair has no distance."""
    own, scan = DisplayData(completion), data.scan
    x, y, _ = scan.vertices.T
    lifted, hair = np.hypot(x + 40, y + 15) < 10, y > 60
    moved = scan.vertices + np.where(lifted, 2.0, np.where(hair, 30.0, 0.0))[:, None] * [0, 0, 1.0]
    own.__dict__["scan"] = scan.with_vertices(moved)
    scene = viewer3d.scene(own)
    levels = unpack(scene["objects"]["scan"]["distance"])
    shown = levels[lifted] * scene["high"]["distance"] / scene["levels"]
    assert lifted.sum() > 20 and (levels[lifted] < 255).all() and np.median(shown) > 1.0
    assert (levels[hair] == 255).mean() > 0.9
