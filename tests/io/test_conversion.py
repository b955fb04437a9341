import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from facecom.errors import MissingDependency, ScanError
from facecom.geometry.mesh import Mesh
from facecom.io.conversion import as_mesh, to_open3d, to_pytorch3d, to_pyvista, to_trimesh
from facecom.io.files import write_mesh


@pytest.fixture
def ball(icosphere) -> Mesh:
    mesh = icosphere(1, radius=80.0)
    levels = np.random.default_rng(0).integers(0, 256, mesh.vertices.shape) / 255
    return Mesh(mesh.vertices, mesh.faces, colors=levels)


@pytest.fixture
def cloud(ball) -> Mesh:
    return Mesh(ball.vertices, [], colors=ball.colors)


def same(found: Mesh, expected: Mesh, *, colors: bool = True) -> None:
    assert np.array_equal(found.vertices, expected.vertices)
    assert np.array_equal(found.faces, expected.faces)
    if colors:
        assert np.allclose(found.colors, expected.colors, atol=1e-7)


def test_a_mesh_is_itself_and_a_path_is_read(tmp_path, ball):
    assert as_mesh(ball) is ball
    write_mesh(tmp_path / "ball.ply", ball)
    same(as_mesh(tmp_path / "ball.ply"), ball)
    same(as_mesh(str(tmp_path / "ball.ply")), ball)


@pytest.mark.parametrize("kind", ["ball", "cloud"])
@pytest.mark.parametrize("there", [to_trimesh, to_open3d])
def test_there_and_back_changes_nothing(request, kind, there):
    mesh = request.getfixturevalue(kind)
    same(as_mesh(there(mesh)), mesh)


@pytest.mark.parametrize("there", [to_trimesh, to_open3d])
def test_a_converted_mesh_can_be_changed_and_the_first_stays(ball, there):
    before = ball.vertices.copy()
    np.asarray(there(ball).vertices)[:] = 0
    assert np.array_equal(ball.vertices, before)


def test_texture_coordinates_and_doubled_vertices_go_through_trimesh(ball):
    doubled = np.concatenate([ball.vertices, ball.vertices])
    mesh = Mesh(doubled, np.concatenate([ball.faces, ball.faces + 42]), uv=doubled[:, :2] / 200 + 0.5)
    found = as_mesh(to_trimesh(mesh))
    same(found, mesh, colors=False)
    assert np.array_equal(found.uv, mesh.uv)
    assert found.colors is None


@pytest.mark.filterwarnings("error")
def test_a_vertex_without_colour_is_black_in_trimesh(ball):
    colors = np.full((len(ball.vertices), 3), 0.5)
    colors[0] = np.nan
    found = to_trimesh(Mesh(ball.vertices, ball.faces, colors=colors)).visual.vertex_colors
    assert found[0, :3].tolist() == [0, 0, 0] and (found[1:, :3] == 128).all()


def test_a_trimesh_scene_is_one_mesh(ball):
    import trimesh

    scene = trimesh.Scene()
    part = trimesh.Trimesh(ball.vertices, ball.faces, process=False)
    scene.add_geometry(part)
    scene.add_geometry(part, transform=trimesh.transformations.translation_matrix([0, 0, 300]))
    found = as_mesh(scene)
    assert len(found.faces) == 2 * len(ball.faces)
    assert found.vertices[:, 2].max() == pytest.approx(300 + ball.vertices[:, 2].max())


@pytest.mark.parametrize("kind", ["ball", "cloud"])
def test_open3d_tensor_meshes_and_clouds_come_in(request, kind):
    import open3d as o3d

    mesh = request.getfixturevalue(kind)
    legacy = to_open3d(mesh)
    tensor = (o3d.t.geometry.TriangleMesh if len(mesh.faces) else o3d.t.geometry.PointCloud).from_legacy(legacy)
    found = as_mesh(tensor)
    assert np.array_equal(found.vertices, mesh.vertices.astype(np.float32))
    assert np.array_equal(found.faces, mesh.faces)
    assert np.allclose(found.colors, mesh.colors, atol=1 / 255)


def test_open3d_colours_in_bytes_are_scaled(cloud):
    import open3d as o3d

    tensor = o3d.t.geometry.PointCloud.from_legacy(to_open3d(cloud))
    tensor.point.colors = o3d.core.Tensor(np.rint(cloud.colors * 255).astype(np.uint8))
    assert np.allclose(as_mesh(tensor).colors, cloud.colors)


def test_arrays_lists_and_tensors_come_in(ball):
    import torch

    vertices = torch.tensor(ball.vertices, requires_grad=True)
    same(as_mesh((ball.vertices, ball.faces)), ball, colors=False)
    same(as_mesh([ball.vertices.tolist(), ball.faces.tolist()]), ball, colors=False)
    same(as_mesh((vertices, torch.tensor(ball.faces))), ball, colors=False)
    assert np.array_equal(as_mesh(vertices).vertices, ball.vertices)
    assert as_mesh(ball.vertices).faces.shape == (0, 3)


class Meshes:
    """What PyTorch3D's `Meshes` offers, as far as it is used."""

    def __init__(self, verts, faces, textures=None):
        self.verts_list, self.faces_list, self.textures = lambda: verts, lambda: faces, textures


class Pointclouds:
    def __init__(self, points, features=None):
        self.points_list, self.features = lambda: points, features


@pytest.fixture
def pytorch3d(monkeypatch):
    structures, renderer, package = (ModuleType(f"pytorch3d{name}") for name in (".structures", ".renderer", ""))
    structures.Meshes, structures.Pointclouds = Meshes, Pointclouds
    renderer.TexturesVertex = lambda verts_features: SimpleNamespace(verts_features_list=lambda: verts_features)
    for name, module in (("", package), (".structures", structures), (".renderer", renderer)):
        monkeypatch.setitem(sys.modules, f"pytorch3d{name}", module)


def test_pytorch3d_meshes_and_clouds_go_there_and_back_in_float32(pytorch3d, ball, cloud):
    there = to_pytorch3d(ball)
    assert isinstance(there, Meshes)
    found = as_mesh(there)
    assert np.array_equal(found.vertices, ball.vertices.astype(np.float32))
    assert np.array_equal(found.faces, ball.faces)
    assert np.allclose(found.colors, ball.colors, atol=1e-6)
    assert np.array_equal(as_mesh(to_pytorch3d(cloud)).vertices, cloud.vertices.astype(np.float32))


def test_a_batch_is_no_scan(ball):
    with pytest.raises(ValueError, match="batch of 2"):
        as_mesh(Meshes([ball.vertices] * 2, [ball.faces] * 2))


class PolyData:
    """What PyVista's `PolyData` offers, as far as it is used."""

    def __init__(self, points, faces=None):
        self.points, self.regular_faces, self.point_data = points, faces, {}
        self.is_all_triangles = True
        self.n_verts, self.n_cells = (len(points), len(points)) if faces is None else (0, len(faces))

    from_regular_faces = classmethod(lambda cls, points, faces: cls(points, faces))

    def triangulate(self):
        return self


@pytest.fixture(params=["real", "fake"])
def pyvista(request, monkeypatch):
    if request.param == "real":
        return pytest.importorskip("pyvista", reason="pyvista is not installed")
    fake = ModuleType("pyvista")
    fake.PolyData = PolyData
    monkeypatch.setitem(sys.modules, "pyvista", fake)
    return fake


@pytest.mark.parametrize("kind", ["ball", "cloud"])
def test_pyvista_goes_there_and_back(request, pyvista, kind):
    mesh = request.getfixturevalue(kind)
    there = to_pyvista(mesh)
    assert isinstance(there, pyvista.PolyData)
    same(as_mesh(there), mesh)


@pytest.mark.parametrize(
    ("there", "package", "advice"),
    [
        (to_trimesh, "trimesh", "pip install 'trimesh'"),
        (to_open3d, "open3d", "pip install 'open3d'"),
        (to_pytorch3d, "pytorch3d", "build it from source"),
        (to_pyvista, "pyvista", "pip install 'pyvista'"),
    ],
)
def test_a_package_that_is_not_there_is_named(monkeypatch, ball, there, package, advice):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingDependency, match=f"{package} is needed.*{advice}"):
        there(ball)


@pytest.mark.parametrize("scan", [42, None, {"vertices": 1}, np.zeros((3, 2)), object()])
def test_what_is_no_scan_is_refused_with_what_would_be_one(scan):
    with pytest.raises(ValueError, match=r"is no scan; give a path"):
        as_mesh(scan)


def test_arrays_that_do_not_fit_and_vertices_that_are_nowhere_are_refused(ball):
    with pytest.raises(ValueError, match=r"outside 0\.\.2"):
        as_mesh((np.eye(3), [[0, 1, 3]]))
    with pytest.raises(ScanError, match="no finite vertex"):
        as_mesh((np.full((3, 3), np.nan), [[0, 1, 2]]))
    with pytest.raises(ScanError, match="no finite vertex"):
        as_mesh(np.zeros((0, 3)))


class ReachedError(Exception):
    """Carries what a job read."""


@pytest.fixture(params=["complete", "register", "design", "design_all", "alternatives"])
def job(request, monkeypatch):
    """What a public function makes of a scan before its first stage."""
    import facecom
    from facecom.completion import stages
    from facecom.prosthesis import DesignSettings, alternatives, design, design_all

    def stop(mesh, **_):
        raise ReachedError(mesh)

    monkeypatch.setattr(stages, "prepare_scan", stop)

    jobs = {
        "complete": facecom.complete,
        "register": lambda scan: facecom.register([scan]),
        "design": lambda scan: design(scan, settings=DesignSettings(wall_mm=2.5), completion_options={"unit": "mm"}),
        "design_all": design_all,
        "alternatives": lambda scan: alternatives(scan, 1),
    }

    def read(scan):
        with pytest.raises(ReachedError) as caught:
            jobs[request.param](scan)
        return caught.value.args[0]

    return read


def test_every_form_of_a_scan_reaches_the_first_stage_unchanged(job, pytorch3d, tmp_path, ball, cloud):
    import open3d as o3d
    import torch

    write_mesh(tmp_path / "ball.ply", ball)
    forms = [tmp_path / "ball.ply", str(tmp_path / "ball.ply"), ball, to_trimesh(ball), to_open3d(ball)]
    for form in forms:
        same(job(form), ball)
    same(job((ball.vertices, ball.faces)), ball, colors=False)
    same(job((torch.tensor(ball.vertices), torch.tensor(ball.faces))), ball, colors=False)
    for form in (to_pytorch3d(ball), o3d.t.geometry.TriangleMesh.from_legacy(to_open3d(ball))):
        found = job(form)
        assert np.array_equal(found.vertices, ball.vertices.astype(np.float32))
        assert np.array_equal(found.faces, ball.faces)
    for form in (to_trimesh(cloud), to_open3d(cloud)):
        same(job(form), cloud)
    assert np.array_equal(job(ball.vertices).vertices, ball.vertices)
