import numpy as np
import pytest
import scipy.sparse as sp

from facecom.geometry.mesh import Mesh, boundary_loops, face_areas, face_cross, face_normals, unique_edges
from facecom.geometry.subdivision import loop_matrix, midpoint_matrix, split_faces


def slow_loop(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """One step of Loop's scheme, vertex by vertex and edge by edge; new vertices in the order of sorted edges."""
    sides: dict[tuple[int, int], list[int]] = {}
    for a, b, c in faces.tolist():
        for i, j, opposite in ((a, b, c), (b, c, a), (c, a, b)):
            sides.setdefault((min(i, j), max(i, j)), []).append(opposite)
    old = []
    for i, here in enumerate(vertices):
        ends = [e for e in sides if i in e]
        rim = [e for e in ends if len(sides[e]) == 1]
        use, beta = (rim, 1 / 4 / len(rim)) if rim else (ends, 3 / 16 if len(ends) == 3 else 3 / 8 / len(ends))
        others = [vertices[e[0] + e[1] - i] for e in use]
        old.append((1 - len(others) * beta) * here + beta * np.sum(others, axis=0))
    new = []
    for (i, j), opposite in sorted(sides.items()):
        middle = (vertices[i] + vertices[j]) / 2
        if len(opposite) == 2:
            middle = 3 / 4 * middle + (vertices[opposite[0]] + vertices[opposite[1]]) / 8
        new.append(middle)
    return np.array(old + new)


def refine(mesh: Mesh, matrix: sp.csr_matrix) -> Mesh:
    finer, _ = split_faces(mesh.faces, len(mesh.vertices))
    return Mesh(matrix @ mesh.vertices, finer)


def sharpest(mesh: Mesh) -> float:
    """Largest angle between the normals of two faces with a common edge, radians."""
    _, edge, count = unique_edges(mesh.faces)
    face = np.tile(np.arange(len(mesh.faces)), 3)[np.argsort(edge, kind="stable")]
    start = np.concatenate([[0], np.cumsum(count)])[:-1][count == 2]
    normals = face_normals(mesh)
    cosine = np.einsum("ed,ed->e", normals[face[start]], normals[face[start + 1]])
    return float(np.arccos(np.clip(cosine, -1, 1)).max())


TETRAHEDRON = Mesh([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], [[0, 1, 2], [0, 3, 1], [0, 2, 3], [1, 3, 2]])


@pytest.fixture(params=["closed", "open", "valence three"])
def coarse(request, icosphere, sheet) -> Mesh:
    mesh = {"closed": icosphere(1), "open": sheet(3, 4, seed=0), "valence three": TETRAHEDRON}[request.param]
    return mesh.with_vertices(mesh.vertices + np.random.default_rng(1).normal(size=mesh.vertices.shape) * 0.1)


def test_children_of_a_face_fill_it_and_face_the_same_way(coarse):
    finer, parents = split_faces(coarse.faces, len(coarse.vertices))
    split = refine(coarse, midpoint_matrix(parents, len(coarse.vertices)))
    np.testing.assert_array_equal(split.faces, finer)
    np.testing.assert_allclose(face_areas(split).reshape(-1, 4), face_areas(coarse)[:, None] / 4 * np.ones(4))
    children = face_cross(split.vertices, split.faces).reshape(-1, 4, 3)
    np.testing.assert_allclose(children, face_cross(coarse.vertices, coarse.faces)[:, None] / 4 * np.ones((4, 1)))


def test_levels_nest_and_new_vertices_are_midpoints(coarse):
    count = len(coarse.vertices)
    _, parents = split_faces(coarse.faces, count)
    finer = midpoint_matrix(parents, count) @ coarse.vertices
    np.testing.assert_array_equal(finer[:count], coarse.vertices)
    np.testing.assert_allclose(finer[count:], coarse.vertices[parents].mean(1))


def test_splitting_keeps_the_topology(coarse):
    finer, parents = split_faces(coarse.faces, len(coarse.vertices))
    edges, _, used = unique_edges(finer)
    before, _, used_before = unique_edges(coarse.faces)
    assert len(edges) == 2 * len(before) + 3 * len(coarse.faces)
    assert (used == 1).sum() == 2 * (used_before == 1).sum()
    assert used.max() == 2
    assert np.unique(finer).tolist() == list(range(len(coarse.vertices) + len(parents)))


def test_loop_agrees_with_a_slow_loop(coarse):
    matrix = loop_matrix(coarse.faces, len(coarse.vertices))
    np.testing.assert_allclose(matrix @ coarse.vertices, slow_loop(coarse.vertices, coarse.faces), atol=1e-14)


def test_loop_weights_are_a_partition_of_unity_and_none_is_negative(coarse):
    matrix = loop_matrix(coarse.faces, len(coarse.vertices))
    np.testing.assert_allclose(np.asarray(matrix.sum(1)).ravel(), 1, atol=1e-14)
    assert matrix.data.min() >= 0


def test_loop_weights_sum_to_one_where_two_holes_touch_and_at_lone_vertices(sheet):
    flat = sheet(6, 6)
    centre = flat.vertices[flat.faces].mean(1)[:, :2]
    gone = (np.abs(centre - [2.5, 2.5]) < 0.5).all(1) | (np.abs(centre - [3.5, 3.5]) < 0.5).all(1)
    matrix = loop_matrix(flat.faces[~gone], len(flat.vertices) + 1)
    np.testing.assert_allclose(np.asarray(matrix.sum(1)).ravel(), 1, atol=1e-14)


def test_loop_keeps_a_regular_plane_and_its_border_line(sheet):
    flat = sheet(5, 5)
    finer = refine(flat, loop_matrix(flat.faces, len(flat.vertices)))
    inner = np.ones(len(finer.vertices), bool)
    inner[boundary_loops(finer.faces)[0]] = False
    regular = (np.abs(flat.vertices[:, :2] - 2.5) < 1.6).all(1)
    np.testing.assert_allclose(finer.vertices[: len(flat.vertices)][regular], flat.vertices[regular], atol=1e-14)
    assert np.abs(finer.vertices[:, 2]).max() == 0
    rim = finer.vertices[boundary_loops(finer.faces)[0], :2]
    on_side = (np.abs(rim - 2.5).max(1) > 2.5 - 1e-9).mean()
    assert on_side > 0.75  # all but the cut corners stay on the straight sides


def test_loop_smooths_creases_away_where_midpoints_keep_them(coarse):
    loop, middle = coarse, coarse
    angles = []
    for _ in range(3):
        angles.append(sharpest(loop))
        loop = refine(loop, loop_matrix(loop.faces, len(loop.vertices)))
        _, parents = split_faces(middle.faces, len(middle.vertices))
        middle = refine(middle, midpoint_matrix(parents, len(middle.vertices)))
    angles.append(sharpest(loop))
    assert angles[3] < 0.3 * angles[0]
    assert angles[3] < angles[2] < angles[1]
    assert sharpest(middle) == pytest.approx(sharpest(coarse), rel=1e-6)
