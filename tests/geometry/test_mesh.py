import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facecom.geometry.mesh import (
    Mesh,
    boundary_edges,
    boundary_loops,
    edge_lengths,
    face_areas,
    face_components,
    face_cross,
    face_normals,
    grow_rings,
    has_distinct_corners,
    unique_edges,
    unit,
    vertex_adjacency,
    vertex_normals,
)

TRIANGLE = np.array([[0.0, 0, 0], [3, 0, 0], [0, 4, 0]])
NO_FACES = np.zeros((0, 3), np.int64)


def some_faces(seed: int, *, count: int = 40, vertices: int = 20) -> np.ndarray:
    """Random faces with three different corners each, manifold or not."""
    rng = np.random.default_rng(seed)
    return np.array([rng.choice(vertices, 3, replace=False) for _ in range(count)])


def test_a_mesh_copies_its_arrays_and_makes_them_read_only():
    vertices = TRIANGLE.copy()
    mesh = Mesh(vertices, [[0, 1, 2]], colors=np.ones((3, 3)))
    vertices[0] = 9
    assert mesh.vertices[0].tolist() == [0, 0, 0]
    for array in (mesh.vertices, mesh.faces, mesh.colors):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"vertices": np.zeros((3, 2)), "faces": [[0, 1, 2]]}, r"\(n, 3\), got \(3, 2\)"),
        ({"vertices": TRIANGLE, "faces": [[0, 1, 3]]}, r"outside 0\.\.2"),
        ({"vertices": TRIANGLE, "faces": [[-1, 1, 2]]}, r"outside 0\.\.2"),
        ({"vertices": TRIANGLE, "faces": [[0, 1, 2]], "uv": np.zeros((2, 2))}, "uv has 2 rows for 3 vertices"),
        ({"vertices": TRIANGLE, "faces": [[0, 1, 2]], "normals": np.zeros((3, 2))}, r"\(n, 3\)"),
    ],
)
def test_a_mesh_that_does_not_fit_together_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Mesh(**arguments)


def test_a_point_set_is_a_mesh_without_faces():
    points = Mesh(TRIANGLE, [])
    assert points.faces.shape == (0, 3)
    assert face_areas(points).shape == (0,)


def test_with_vertices_keeps_everything_but_the_normals():
    mesh = Mesh(TRIANGLE, [[0, 1, 2]], uv=TRIANGLE[:, :2], colors=TRIANGLE / 4, normals=TRIANGLE)
    moved = mesh.with_vertices(TRIANGLE + 1)
    np.testing.assert_array_equal(moved.vertices, TRIANGLE + 1)
    np.testing.assert_array_equal(moved.uv, mesh.uv)
    np.testing.assert_array_equal(moved.colors, mesh.colors)
    assert moved.normals is None


def test_a_submesh_has_the_same_triangles_and_no_loose_vertices(icosphere):
    ball = icosphere(2)
    coloured = Mesh(ball.vertices, ball.faces, colors=(ball.vertices + 1) / 2)
    kept = ball.vertices[ball.faces].mean(1)[:, 2] > 0.2
    part, old = coloured.submesh(kept)
    np.testing.assert_array_equal(part.vertices[part.faces], ball.vertices[ball.faces[kept]])
    np.testing.assert_array_equal(part.colors, coloured.colors[old])
    assert np.unique(part.faces).tolist() == list(range(len(part.vertices)))


def test_area_and_normal_of_a_triangle_computed_by_hand():
    mesh = Mesh(TRIANGLE, [[0, 1, 2], [0, 2, 1], [0, 0, 1]])
    np.testing.assert_allclose(face_areas(mesh), [6, 6, 0])
    np.testing.assert_allclose(face_normals(mesh), [[0, 0, 1], [0, 0, -1], [0, 0, 0]])
    np.testing.assert_allclose(face_cross(mesh.vertices, mesh.faces)[0], [0, 0, 12])


def test_vertex_normals_are_area_weighted_means_of_a_slow_loop():
    faces = some_faces(3)
    vertices = np.random.default_rng(0).normal(size=(21, 3))  # vertex 20 is in no face
    total = np.zeros((21, 3))
    for a, b, c in faces:
        cross = np.cross(vertices[b] - vertices[a], vertices[c] - vertices[a])
        for corner in (a, b, c):
            total[corner] += cross
    normals = vertex_normals(vertices, faces)
    np.testing.assert_allclose(normals[:20], total[:20] / np.linalg.norm(total[:20], axis=1)[:, None], atol=1e-12)
    assert normals[20].tolist() == [0, 0, 0]


def test_vertex_normals_of_a_sphere_point_out(icosphere):
    ball = icosphere(3, radius=50.0)
    along = np.einsum("vd,vd->v", vertex_normals(ball.vertices, ball.faces), ball.vertices / 50)
    assert along.min() > 0.999


def test_unit_leaves_zero_rows():
    np.testing.assert_allclose(unit(np.array([[0.0, 0, 0], [0, 5, 0]])), [[0, 0, 0], [0, 1, 0]])


@given(st.integers(0, 1000))
def test_unique_edges_agree_with_a_dictionary(seed):
    faces = some_faces(seed)
    wanted: dict[tuple[int, int], int] = {}
    for a, b, c in faces.tolist():
        for pair in ((a, b), (b, c), (c, a)):
            key = (min(pair), max(pair))
            wanted[key] = wanted.get(key, 0) + 1
    edges, edge_of_corner, count = unique_edges(faces)
    assert [tuple(e) for e in edges.tolist()] == sorted(wanted)
    assert count.tolist() == [wanted[key] for key in sorted(wanted)]
    for block, (i, j) in enumerate(((0, 1), (1, 2), (2, 0))):
        named = edges[edge_of_corner[block * len(faces) : (block + 1) * len(faces)]]
        np.testing.assert_array_equal(named, np.sort(faces[:, [i, j]], axis=1))


def test_a_closed_surface_satisfies_euler_and_has_no_border(icosphere):
    ball = icosphere(2)
    edges, _, count = unique_edges(ball.faces)
    assert len(ball.vertices) - len(edges) + len(ball.faces) == 2
    assert (count == 2).all()
    assert len(boundary_edges(ball.faces)) == 0
    assert boundary_loops(ball.faces) == []


def test_an_open_sheet_has_one_loop_that_runs_along_its_faces(sheet):
    flat = sheet(4, 7)
    (loop,) = boundary_loops(flat.faces)
    assert len(loop) == 2 * (4 + 7)
    steps = set(zip(loop.tolist(), np.roll(loop, -1).tolist(), strict=True))
    assert steps == {tuple(e) for e in boundary_edges(flat.faces).tolist()}
    x, y = flat.vertices[loop, :2].T
    assert np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y) / 2 == pytest.approx(28)  # counter-clockwise, as the faces


def test_holes_are_loops_of_their_own_longest_first(sheet):
    flat = sheet(9, 9)
    centre = flat.vertices[flat.faces].mean(1)[:, :2]
    gone = (np.abs(centre - [2.5, 2.5]) < 0.5).all(1) | (np.abs(centre - [6, 6]) < 1).all(1)
    loops = boundary_loops(flat.faces[~gone])
    assert [len(loop) for loop in loops] == [36, 8, 4]


def test_holes_that_touch_in_one_vertex_are_parted_there(sheet):
    flat = sheet(6, 6)
    centre = flat.vertices[flat.faces].mean(1)[:, :2]
    gone = (np.abs(centre - [2.5, 2.5]) < 0.5).all(1) | (np.abs(centre - [3.5, 3.5]) < 0.5).all(1)
    faces = flat.faces[~gone]
    loops = boundary_loops(faces)
    assert [len(loop) for loop in loops] == [24, 4, 4]
    assert all(len(np.unique(loop)) == len(loop) for loop in loops)
    steps = [step for loop in loops for step in zip(loop.tolist(), np.roll(loop, -1).tolist(), strict=True)]
    assert sorted(steps) == sorted(tuple(e) for e in boundary_edges(faces).tolist())


def test_two_triangles_that_share_a_vertex_have_two_loops_and_are_two_components():
    faces = np.array([[0, 1, 2], [2, 3, 4]])
    assert sorted(sorted(loop.tolist()) for loop in boundary_loops(faces)) == [[0, 1, 2], [2, 3, 4]]
    assert len(np.unique(face_components(faces))) == 2


@given(st.integers(0, 1000))
def test_components_agree_with_a_flood_fill(seed):
    faces = some_faces(seed, count=12)
    sides = [{tuple(sorted((f[k], f[(k + 1) % 3]))) for k in range(3)} for f in faces.tolist()]
    wanted = [-1] * len(faces)
    for start in range(len(faces)):
        if wanted[start] >= 0:
            continue
        wanted[start], todo = start, [start]
        while todo:
            at = todo.pop()
            for other in range(len(faces)):
                if wanted[other] < 0 and sides[at] & sides[other]:
                    wanted[other] = start
                    todo.append(other)
    found = face_components(faces)
    same = np.array(wanted)[:, None] == np.array(wanted)[None]
    np.testing.assert_array_equal(found[:, None] == found[None], same)


def test_functions_of_faces_take_none():
    assert len(unique_edges(NO_FACES)[0]) == 0
    assert boundary_loops(NO_FACES) == []
    assert face_components(NO_FACES).shape == (0,)
    assert vertex_adjacency(NO_FACES, 3).nnz == 0
    assert vertex_normals(TRIANGLE, NO_FACES).tolist() == np.zeros((3, 3)).tolist()


def test_adjacency_is_symmetric_and_counts_neighbours_once(sheet):
    flat = sheet(3, 3)
    matrix = vertex_adjacency(flat.faces, len(flat.vertices))
    assert (matrix != matrix.T).nnz == 0
    assert set(matrix.data.tolist()) == {1.0}
    edges, _, _ = unique_edges(flat.faces)
    assert matrix.nnz == 2 * len(edges)
    np.testing.assert_allclose(np.unique(edge_lengths(flat)), [1, np.sqrt(2)])


def test_rings_grow_by_all_faces_that_touch(sheet):
    flat = sheet(9, 9)
    start = np.arange(len(flat.vertices)) == 44
    away = np.abs(flat.vertices[:, :2] - flat.vertices[44, :2]).max(axis=1)
    for rings in range(4):
        grown = grow_rings(flat.faces, start, rings)
        assert (away[grown] <= rings).all()
        reached = start
        for _ in range(rings):
            reached = np.isin(np.arange(len(start)), flat.faces[reached[flat.faces].any(1)]) | reached
        assert np.array_equal(grown, reached)


@given(st.integers(0, 1000))
def test_distinct_corners_are_three_different_numbers(seed):
    faces = np.random.default_rng(seed).integers(0, 4, (30, 3))
    assert has_distinct_corners(faces).tolist() == [len(set(face)) == 3 for face in faces.tolist()]


def test_a_large_mesh_is_one_short_line():
    mesh = Mesh(np.zeros((5000, 3)), np.zeros((1200, 3), int), colors=np.zeros((5000, 3)))
    assert repr(mesh) == "Mesh(5,000 vertices, 1,200 triangles, colors)"
