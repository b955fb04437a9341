"""Self-intersections against a slow test of every edge with every triangle."""

import numpy as np
import pytest

from facecom.geometry.intersections import first_intersections, intersecting_edges, self_intersections
from facecom.geometry.mesh import Mesh, unique_edges
from facecom.geometry.transform import Similarity, rotation_from_vector


def shaken(sheet, seed: int, *, size: float = 0.9) -> Mesh:
    """A sheet whose vertices near its middle are moved until it crosses itself."""
    flat, rng = sheet(10, 10), np.random.default_rng(seed)
    near = np.linalg.norm(flat.vertices[:, :2] - 5.0, axis=1) < 3.5
    return flat.with_vertices(flat.vertices + near[:, None] * rng.normal(scale=size, size=flat.vertices.shape))


def pairs(found) -> set[tuple[int, int, int]]:
    edges, faces = found
    return {(a, b, face) for (a, b), face in zip(edges.tolist(), faces.tolist(), strict=True)}


def every_pair(mesh: Mesh) -> set[tuple[int, int, int]]:
    """By the signs of volumes: an edge pierces a triangle if its ends lie on two sides and it winds round it once."""
    edges = unique_edges(mesh.faces)[0]
    p, q = (mesh.vertices[edges[:, k], None] for k in (0, 1))
    a, b, c = (mesh.vertices[mesh.faces[:, k]][None] for k in range(3))

    def volume(one, two, three, four):
        return np.einsum("...d,...d->...", two - one, np.cross(three - one, four - one))

    sides = volume(a, b, c, p) * volume(a, b, c, q) < 0
    winding = np.sign([volume(p, q, a, b), volume(p, q, b, c), volume(p, q, c, a)])
    shared = (edges[:, None, :, None] == mesh.faces[None, :, None, :]).any((2, 3))
    rows, faces = np.nonzero(sides & (np.abs(winding.sum(0)) == 3) & ~shared)
    return {(*edges[row].tolist(), face) for row, face in zip(rows, faces.tolist(), strict=True)}


def share(mesh: Mesh, pair: tuple[int, int, int]) -> float:
    """Where along the edge it pierces the triangle, 0..1."""
    a, b, face = pair
    corner, second, third = mesh.vertices[mesh.faces[face]]
    normal = np.cross(second - corner, third - corner)
    start, end = mesh.vertices[a], mesh.vertices[b]
    return float((corner - start) @ normal / ((end - start) @ normal))


@pytest.mark.parametrize("seed", range(8))
def test_no_pair_is_made_up_and_all_are_found_that_lie_a_step_apart(sheet, seed):
    """Behind a hit the walk steps on by a thousandth of the edge, and an edge begins and ends in its own faces."""
    mesh = shaken(sheet, seed)
    found, every = pairs(self_intersections(mesh)), every_pair(mesh)
    assert len(every) > 30
    assert found <= every
    for pair in every - found:
        others = [0.0, 1.0, *(share(mesh, other) for other in every if other[:2] == pair[:2] and other != pair)]
        assert np.abs(np.array(others) - share(mesh, pair)).min() < 1.1e-3


def test_the_first_intersection_of_an_edge_is_the_nearest_to_its_start(sheet):
    """But for a few: the walk steps ever wider over faces that an edge touches."""
    count = nearest = 0
    for seed in range(8):
        mesh = shaken(sheet, seed)
        edges, faces = first_intersections(mesh)
        every = every_pair(mesh)
        assert pairs((edges, faces)) <= every
        assert len(np.unique(edges, axis=0)) == len(edges)
        first: dict[tuple[int, int], float] = {}
        for pair in every:
            first[pair[:2]] = min(first.get(pair[:2], 1.0), share(mesh, pair))
        count += len(first)
        nearest += sum(share(mesh, pair) < first[pair[:2]] + 2e-3 for pair in pairs((edges, faces)))
    assert nearest > 0.98 * count


def test_edges_are_given_once_and_sorted(sheet):
    mesh = shaken(sheet, 3, size=2.0)
    edges = intersecting_edges(mesh).tolist()
    assert len(edges) > 20
    assert edges == sorted(map(list, {pair[:2] for pair in pairs(self_intersections(mesh))}))


def test_what_moved_is_looked_at_alone_and_misses_nothing(sheet):
    mesh = shaken(sheet, 5)
    every = pairs(self_intersections(mesh))
    moved = np.linalg.norm(mesh.vertices[:, :2] - 5.0, axis=1) < 8.0
    assert len(every) > 10
    assert pairs(self_intersections(mesh, moved=moved)) == every
    assert not len(self_intersections(mesh, moved=np.zeros(len(moved), bool))[0])
    some = mesh.vertices[:, 0] > 6.0
    expected = {pair for pair in every if some[[pair[0], pair[1], *mesh.faces[pair[2]]]].any()}
    assert pairs(self_intersections(mesh, moved=some)) == expected


def test_nothing_depends_on_pose_within_the_tolerance(sheet):
    mesh = shaken(sheet, 8)
    motion = Similarity(rotation_from_vector([0.4, -0.9, 0.3]), [120.0, -40.0, 60.0])
    assert pairs(self_intersections(mesh.with_vertices(motion.apply(mesh.vertices)))) == pairs(self_intersections(mesh))


@pytest.mark.parametrize("find", [first_intersections, self_intersections])
def test_flat_and_closed_surfaces_have_none(find, sheet, icosphere):
    for mesh in (sheet(12, 9, seed=1), icosphere(2, radius=40.0)):
        edges, faces = find(mesh)
        assert edges.shape == (0, 2)
        assert faces.shape == (0,)


def test_both_ends_must_lie_beyond_the_tolerance():
    """An edge whose ends lie 3e-5 mm on either side of the plane."""
    triangle = [[0.0, 0, 0], [4, 0, 0], [0, 4, 0]]
    graze = [[1.0, 1, -3e-5], [1.5, 1, 3e-5], [9, 9, 3]]
    mesh = Mesh(triangle + graze, [[0, 1, 2], [3, 4, 5]])
    assert (3, 4, 0) in pairs(first_intersections(mesh))
    assert (3, 4, 0) not in pairs(first_intersections(mesh, tolerance_mm=5e-5))
    assert (3, 4, 0) not in pairs(self_intersections(mesh))
    assert (3, 4, 0) in pairs(self_intersections(mesh, tolerance_mm=1e-5))


def test_an_edge_through_many_layers_pierces_all_and_first_the_nearest():
    layers = [[[-3.0, -3, z], [3, -3, z], [0, 4, z]] for z in (1.0, 2.0, 3.0, 4.0, 5.0)]
    needle = [[0.0, 0, 0], [0, 0, 6], [60, 0, 3]]
    mesh = Mesh(np.concatenate([*layers, needle]), np.arange(18).reshape(-1, 3))
    assert {pair for pair in pairs(self_intersections(mesh)) if pair[:2] == (15, 16)} == {
        (15, 16, layer) for layer in range(5)
    }
    assert {pair for pair in pairs(first_intersections(mesh)) if pair[:2] == (15, 16)} == {(15, 16, 0)}


@pytest.mark.parametrize(("find", "tolerance"), [(first_intersections, 1e-5), (self_intersections, 5e-5)])
def test_a_face_that_an_edge_only_touches_hides_none_that_it_pierces(find, tolerance):
    edge = [[0.0, 0, 0.4 * tolerance], [1, 0, -0.4 * tolerance], [0.5, 0, 9]]
    grazed = [[0.3, -1.0, 0], [0.6, 0, 0], [0.3, 1, 0]]
    pierced = [[0.8, -1.0, -1], [0.8, 1, -1], [0.8, 0, 1]]
    mesh = Mesh(np.array(edge + grazed + pierced), np.arange(9).reshape(3, 3))
    assert {pair for pair in pairs(find(mesh)) if pair[:2] == (0, 1)} == {(0, 1, 2)}
