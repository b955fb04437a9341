import numpy as np
import pytest

from facecom.completion import complete
from facecom.geometry.mesh import Mesh, boundary_edges, boundary_loops, face_areas, vertex_normals
from facecom.model.linear.generator import LinearGenerator
from facecom.scan.cleaning import clean_scan
from facecom.scan.outer_surface import outer_surface, outer_surface_warnings

NOSE_MM = 18.0


def without(mesh, middle, radius):
    """A mesh without the triangles near a point."""
    near = np.linalg.norm(mesh.vertices[mesh.faces].mean(axis=1) - middle, axis=1) < radius
    return mesh.submesh(~near)[0]


def with_second_wall(mesh, offset, *, rims=True, flip=True):
    """A mesh, the same `offset` mm along its normals, and the strips between; faces of the outer wall come first."""
    count, moved = len(mesh.vertices), mesh.vertices + offset * vertex_normals(mesh.vertices, mesh.faces)
    inner, outer = (moved, mesh.vertices) if offset < 0 else (mesh.vertices, moved)
    a, b = boundary_edges(mesh.faces).T
    strips = [np.stack([b, a, a + count], 1), np.stack([b, a + count, b + count], 1)] if rims else []
    second = mesh.faces[:, ::-1] if flip else mesh.faces
    return Mesh(np.concatenate([outer, inner]), np.concatenate([mesh.faces, second + count, *strips]))


def taken(solid, mm_per_unit=1.0):
    """The outer surface of a mesh, its report, and which of the faces of the mesh it holds."""
    cleaned = clean_scan(solid)
    outer, report = outer_surface(cleaned.mesh, cleaned.report, mm_per_unit=mm_per_unit)
    index = {tuple(p): k for k, p in enumerate(cleaned.mesh.vertices.tolist())}
    back = np.array([index[tuple(p)] for p in outer.vertices.tolist()])
    assert (np.diff(back) > 0).all()  # bit by bit, and in their order
    known = {tuple(face): k for k, face in enumerate(cleaned.mesh.faces.tolist())}
    kept = np.zeros(len(solid.faces), bool)
    kept[cleaned.face_index[[known[tuple(face)] for face in back[outer.faces].tolist()]]] = True
    return outer, report, kept


def shares(solid, kept, first):
    """Of the area of the first faces: how much is kept, and how much of the others."""
    area = face_areas(solid)
    outer = np.arange(len(area)) < first
    return area[kept & outer].sum() / area[outer].sum(), area[kept & ~outer].sum() / area[outer].sum()


@pytest.fixture(scope="module")
def model():
    return LinearGenerator.load()


@pytest.fixture(scope="module")
def face(model):
    """The front of a drawn face without its nose."""
    drawn = model.sample(11, level=1)
    front = drawn.submesh((drawn.vertices[drawn.faces][:, :, 2] > -95).all(axis=1))[0]
    return without(front, model.template.vertices[model.template.landmark_index("nose_tip")], NOSE_MM)


@pytest.mark.parametrize("offset", [-4.0, -1.0, 2.0, 4.0])
def test_of_a_thickened_shell_the_outer_wall_stays_and_its_holes_are_open(face, offset):
    solid = with_second_wall(face, offset)
    assert not boundary_loops(solid.faces)
    outer, report, kept = taken(solid)
    own, others = shares(solid, kept, len(face.faces))
    assert own > 0.995 and others < 0.005
    assert report.inner_wall_faces == (~kept).sum() and report.faces_after == len(outer.faces)
    sizes = [len(loop) for loop in boundary_loops(outer.faces)]
    expected = [len(loop) for loop in boundary_loops(face.faces)]
    assert len(sizes) >= len(expected) and np.allclose(sizes[:2], expected[:2], rtol=0.2)


def test_which_way_triangles_face_and_the_unit_do_not_matter(face):
    solid = with_second_wall(face, -2.0)
    _, _, kept = taken(solid)
    _, _, inside_out = taken(Mesh(solid.vertices, solid.faces[:, ::-1]))
    _, _, metres = taken(Mesh(solid.vertices / 1000, solid.faces), 1000.0)
    assert (kept == inside_out).mean() > 0.999 and (kept == metres).mean() > 0.999


@pytest.mark.parametrize("flip", [True, False])
def test_of_two_walls_that_nothing_joins_the_outer_one_stays(face, flip):
    solid = with_second_wall(face, -3.0, rims=False, flip=flip)
    assert shares(solid, taken(solid)[2], len(face.faces)) == (1.0, 0.0)


@pytest.mark.parametrize("openings", [0, 2])
def test_of_a_closed_head_with_an_inner_wall_the_skin_stays(icosphere, openings):
    """With tubes through the skin, as airways are, or without."""
    head = icosphere(4, radius=90.0)
    for direction in np.array([[1.0, 0, 0], [0.6, 0.8, 0]])[:openings]:
        head = without(head, 90 * direction, 12.0)
    solid = with_second_wall(head, -8.0)
    outer, _, kept = taken(solid)
    assert shares(solid, kept, len(head.faces)) == pytest.approx((1.0, 0.0), abs=2e-3)
    assert len(boundary_loops(outer.faces)) == openings


def bag(mesh, depth, width, rings=24):
    """A mesh whose one hole leads into a round hollow: `depth` and `width` in mm."""
    (loop,) = boundary_loops(mesh.faces)
    rim, middle = mesh.vertices[loop], mesh.vertices[loop].mean(axis=0)
    inward, count = -middle / np.linalg.norm(middle), len(loop)
    length = np.linalg.norm(rim - middle, axis=1, keepdims=True)
    outward, size = (rim - middle) / length, length.mean()
    start = np.arcsin(size / width)
    turn = np.linspace(start, np.pi - 0.05, rings + 1)[1:]
    path = [middle + width * np.sin(t) * outward + inward * depth * (np.cos(start) - np.cos(t)) / 2 for t in turn]
    ids = np.concatenate([[loop], len(mesh.vertices) + np.arange(rings * count).reshape(rings, count)])
    a, b = ids, np.roll(ids, -1, axis=1)
    walls = [[b[:-1], a[:-1], a[1:]], [b[:-1], a[1:], b[1:]]]
    faces = [np.stack(corners, -1).reshape(-1, 3) for corners in walls]
    return Mesh(np.concatenate([mesh.vertices, *path]), np.concatenate([mesh.faces, *faces]))


def test_a_hollow_behind_a_small_opening_goes_where_it_is_much_of_the_surface(icosphere):
    head = without(icosphere(4, radius=90.0), np.array([90.0, 0, 0]), 10.0)
    solid = bag(head, 140.0, 60.0)
    outer, _, kept = taken(solid)
    own, others = shares(solid, kept, len(head.faces))
    assert own > 0.999 and others < 0.01
    assert len(boundary_loops(outer.faces)) == 1


def test_scans_without_inner_walls_stay_the_same_objects(face, icosphere):
    ball = icosphere(4, radius=90.0)
    pocket = bag(without(ball, np.array([90.0, 0, 0]), 10.0), 40.0, 22.0)
    passes = with_second_wall(face, 0.3, rims=False, flip=False)  # of a scanner, over the same skin
    for mesh in (face, ball, pocket, passes, Mesh(face.vertices, face.faces[:, ::-1])):
        cleaned = clean_scan(mesh)
        outer, report = outer_surface(cleaned.mesh, cleaned.report, mm_per_unit=1.0)
        assert outer is cleaned.mesh and report is cleaned.report and not outer_surface_warnings(report)


@pytest.mark.parametrize("shared", [True, False])
def test_a_double_sided_export_is_taken_once_and_said(face, shared):
    count = 0 if shared else len(face.vertices)
    vertices = face.vertices if shared else np.concatenate([face.vertices, face.vertices])
    outer, report, _ = taken(Mesh(vertices, np.concatenate([face.faces, face.faces[:, ::-1] + count])))
    assert np.array_equal(outer.faces, face.faces) and np.array_equal(outer.vertices, face.vertices)
    assert "double-sided" in " ".join(outer_surface_warnings(report))


@pytest.mark.slow
def test_a_thickened_face_is_completed(face, model):
    made = complete(with_second_wall(face, -2.0), unit="mm", model=model)
    assert "nose" in {hole.region for hole in made.holes}
    assert np.array_equal(made.merged.vertices[: len(face.vertices)], face.vertices)
    assert made.report.removed["inner_wall_faces"] > len(face.faces)
    assert any("outer skin" in warning for warning in made.report.warnings)
    assert not any("--missing" in warning for warning in made.report.warnings)
