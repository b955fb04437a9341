"""glTF scenes."""

import io

import numpy as np
from PIL import Image

from facecom.io.files import read_scan, read_scan_file


def test_a_scene_of_several_meshes_is_one_mesh_with_transforms_applied(ball, written):
    import trimesh

    part = trimesh.Trimesh(ball.vertices, ball.faces, process=False)
    scene = trimesh.Scene()
    scene.add_geometry(part, node_name="left")
    turned = trimesh.transformations.rotation_matrix(np.pi / 2, [0, 0, 1], [10, 0, 0])
    scene.add_geometry(part, node_name="right", transform=turned)
    mesh = read_scan(written("two.glb", scene.export(file_type="glb")))
    expected = np.concatenate([ball.vertices, ball.vertices @ turned[:3, :3].T + turned[:3, 3]])
    assert len(mesh.faces) == 2 * len(ball.faces)
    assert np.allclose(np.sort(mesh.vertices, axis=0), np.sort(expected, axis=0), atol=1e-4)
    assert np.linalg.norm(np.cross(*np.moveaxis(np.diff(mesh.vertices[mesh.faces], axis=1), 1, 0)), axis=1).min() > 0


def test_a_glb_with_an_image_keeps_it(ball, written):
    import trimesh

    image = Image.new("RGB", (8, 4), (50, 100, 150))
    solid = trimesh.Trimesh(ball.vertices, ball.faces, process=False)
    solid.visual = trimesh.visual.TextureVisuals(uv=ball.uv, image=image)
    data = io.BytesIO(trimesh.Scene(solid).export(file_type="glb")).getvalue()
    scan = read_scan_file(written("a.glb", data))
    assert scan.texture.shape == (4, 8, 3)
    assert scan.mesh.uv.shape == (len(scan.mesh.vertices), 2)
