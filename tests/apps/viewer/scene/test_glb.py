"""GLB files of coloured meshes."""

import json

import numpy as np
import pytest

from facecom.apps.viewer.scene.glb import glb_bytes
from facecom.io.files import read_scan


def test_a_glb_holds_the_mesh_and_its_paint(tmp_path, icosphere):
    ball = icosphere(1)
    data = glb_bytes(ball.vertices, ball.faces, ball.vertices, np.tile([1.0, 0.5, 0.0], (len(ball.vertices), 1)))
    (tmp_path / "ball.glb").write_bytes(data)
    read = read_scan(tmp_path / "ball.glb")
    assert np.allclose(read.vertices, ball.vertices, atol=1e-6)
    assert np.array_equal(read.faces, ball.faces)
    assert read.colors[0] == pytest.approx([1.0, 0.2140, 0.0], abs=1e-3)  # linear light
    head = int.from_bytes(data[12:16], "little")
    assert int.from_bytes(data[8:12], "little") == len(data)
    assert json.loads(data[20 : 20 + head])["materials"][0]["doubleSided"]
