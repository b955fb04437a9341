"""Fairing: what it reproduces, what it leaves alone, and that self-intersections go."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facecom.geometry.fairing import (
    fair_membrane,
    laplacian_step,
    push_apart,
    remove_self_intersections,
    remove_self_intersections_membrane,
)
from facecom.geometry.intersections import first_intersections, self_intersections
from facecom.geometry.mesh import Mesh, boundary_edges


@pytest.fixture
def plate(sheet) -> Mesh:
    return sheet(16, 16)


def folded(plate: Mesh, seed: int) -> tuple[Mesh, np.ndarray]:
    """The plate with a place where it crosses itself, and which vertices that moved."""
    near = np.linalg.norm(plate.vertices[:, :2] - [10.0, 9.0], axis=1) < 2.5
    noise = np.random.default_rng(seed).normal(size=plate.vertices.shape)
    return plate.with_vertices(plate.vertices + near[:, None] * noise), near


@given(st.integers(0, 1000))
def test_thin_plates_remove_intersections_and_move_nothing_else(sheet, seed):
    plate = sheet(16, 16)
    mesh, near = folded(plate, seed)
    faired, moved = remove_self_intersections(mesh)
    assert not len(self_intersections(faired)[0])
    assert np.array_equal(faired.vertices[~moved], mesh.vertices[~moved])
    assert not moved[np.linalg.norm(plate.vertices[:, :2] - [10.0, 9.0], axis=1) > 9.0].any()


def test_a_mesh_without_intersections_comes_back_itself(plate, icosphere):
    for mesh in (plate, icosphere(2)):
        faired, moved = remove_self_intersections(mesh)
        assert faired is mesh
        assert not moved.any()
        free = np.ones(len(mesh.vertices), bool)
        assert remove_self_intersections_membrane(mesh.vertices, mesh.faces, free=free) is mesh.vertices
        assert push_apart(mesh.vertices, mesh.faces, free=free) is mesh.vertices


def test_fixed_vertices_stay_and_known_patches_lead_to_the_same(plate):
    mesh, _ = folded(plate, 1)
    fixed = np.abs(plate.vertices[:, 0] - 10.0) < 0.5
    held, moved = remove_self_intersections(mesh, fixed=fixed)
    assert np.array_equal(held.vertices[fixed], mesh.vertices[fixed])
    assert not (moved & fixed).any()
    faired, moved = remove_self_intersections(mesh)
    again, moved_again = remove_self_intersections(mesh, known=moved)
    assert np.allclose(again.vertices, faired.vertices)
    assert np.array_equal(moved_again, moved)


def test_only_what_moved_is_looked_at(plate):
    mesh, near = folded(plate, 1)
    assert remove_self_intersections(mesh, moved=np.zeros(len(near), bool))[0] is mesh
    assert not len(self_intersections(remove_self_intersections(mesh, moved=near)[0])[0])


def test_a_thin_plate_joins_what_lies_around_in_value_and_slope(plate):
    """Of a tilted plane the smoothest patch is the plane, where the patch keeps off the border."""
    tilted = plate.with_vertices(plate.vertices + plate.vertices[:, :1] * [0.0, 0.0, 0.5])
    mesh, near = folded(tilted, 2)
    faired, moved = remove_self_intersections(mesh, known=near, rings=0)
    assert np.array_equal(moved, near)
    assert np.allclose(faired.vertices, tilted.vertices, atol=1e-9)


def test_membranes_move_free_vertices_alone_and_leave_no_intersection(plate):
    mesh, near = folded(plate, 4)
    free = np.ones(len(near), bool)
    free[boundary_edges(mesh.faces)] = False
    out = remove_self_intersections_membrane(mesh.vertices, mesh.faces, free=free)
    assert len(first_intersections(mesh)[0]) > 5
    assert not len(first_intersections(mesh.with_vertices(out))[0])
    assert np.array_equal(out[~free], mesh.vertices[~free])


def test_where_nothing_is_free_the_positions_come_back(plate):
    mesh, near = folded(plate, 4)
    none = np.zeros(len(near), bool)
    for repair in (remove_self_intersections_membrane, push_apart):
        assert np.array_equal(repair(mesh.vertices, mesh.faces, free=none), mesh.vertices)


def test_two_sheets_that_touch_are_pushed_apart(sheet):
    """The upper one dips 0.1 mm through the lower one at one vertex."""
    low = sheet(6, 6)
    dip = np.where(np.arange(len(low.vertices)) == 24, -0.1, 0.4)
    high = low.vertices + [0.31, 0.17, 0.0] + dip[:, None] * [0.0, 0.0, 1.0]
    both = np.concatenate([low.vertices, high])
    faces = np.concatenate([low.faces, low.faces + len(high)])
    free = np.arange(len(both)) >= len(high)
    assert len(first_intersections(Mesh(both, faces))[0]) > 0
    out = push_apart(both, faces, free=free)
    assert not len(first_intersections(Mesh(out, faces))[0])
    assert np.array_equal(out[~free], both[~free])
    assert np.abs(out - both).max() < 0.5


def test_what_fixed_vertices_pierce_is_pushed_aside_where_fairing_cannot(sheet):
    flat = sheet(8, 8)
    spike = np.array([[3.6, 3.7, 0.1], [4.3, 4.9, -2.0], [4.9, 4.2, -2.0]])
    both, faces = np.concatenate([flat.vertices, spike]), np.concatenate([flat.faces, [[81, 82, 83]]])
    free = np.append(np.abs(flat.vertices[:, :2] - 4).max(1) < 4, np.zeros(3, bool))
    left, out = (move(both, faces, free=free) for move in (remove_self_intersections_membrane, push_apart))
    assert len(first_intersections(Mesh(left, faces))[0]) > 0
    assert not len(first_intersections(Mesh(out, faces))[0])
    assert np.array_equal(out[~free], both[~free])
    assert np.abs(out - both).max() < 0.5


@given(st.integers(0, 1000))
def test_a_laplacian_step_is_the_mean_over_faces_of_a_slow_loop(sheet, seed):
    mesh, rng = sheet(5, 4, seed=seed), np.random.default_rng(seed)
    values = rng.normal(size=(len(mesh.vertices), 2))
    chosen = np.flatnonzero(rng.random(len(values)) < 0.5)
    expected = values.copy()
    for vertex in chosen:
        expected[vertex] = np.mean([values[face].mean(0) for face in mesh.faces if vertex in face], axis=0)
    np.testing.assert_allclose(laplacian_step(values, mesh.faces, chosen), expected, atol=1e-12)


def test_a_membrane_keeps_a_regular_plane_and_shrinks_a_bump(plate):
    inner = np.setdiff1d(np.arange(len(plate.vertices)), boundary_edges(plate.faces))
    assert np.allclose(fair_membrane(plate.vertices, plate.faces, inner), plate.vertices, atol=1e-9)
    bump = plate.vertices.copy()
    bump[inner[100], 2] = 5.0
    faired = fair_membrane(bump, plate.faces, inner)
    assert 0.0 < faired[:, 2].max() < 1.0
