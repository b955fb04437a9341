"""A defect and the skin around it, remeshed."""

import numpy as np
import pytest

from facecom.errors import ScanError
from facecom.geometry.closest_points import Surface
from facecom.geometry.geodesic import geodesic_distance
from facecom.geometry.mesh import boundary_loops, edge_lengths, face_areas
from facecom.prosthesis.defect.detection import find_defects
from facecom.prosthesis.defect.neighbourhood import (
    Defect,
    crop_to_box,
    interface_vertices,
    neighbourhood,
    subdivide_long_edges,
)


@pytest.mark.parametrize("seed", range(3))
def test_subdivision_keeps_the_surface_its_borders_and_its_marks(sheet, seed):
    mesh = sheet(5, 6, seed=seed)
    marked = np.random.default_rng(seed).random(len(mesh.faces)) < 0.4
    fine, kept, weights = subdivide_long_edges(mesh, marked, max_edge_mm=0.4)
    assert edge_lengths(fine).max() <= 0.4
    assert np.allclose(weights @ mesh.vertices, fine.vertices) and np.allclose(weights.sum(1), 1.0)
    assert face_areas(fine).sum() == pytest.approx(face_areas(mesh).sum())
    assert face_areas(fine)[kept].sum() == pytest.approx(face_areas(mesh)[marked].sum())
    # Both sides of the marks split their common edges alike: no crack opens.
    assert len(boundary_loops(fine.faces)) == len(boundary_loops(mesh.faces)) == 1


def test_the_interface_is_what_marked_and_unmarked_faces_share(sheet):
    mesh = sheet(4, 6)
    left = mesh.vertices[mesh.faces].mean(1)[:, 0] < 3.0
    assert np.array_equal(interface_vertices(mesh, left), mesh.vertices[:, 0] == 3.0)
    assert not interface_vertices(mesh, np.ones(len(mesh.faces), bool)).any()


def test_the_box_holds_all_that_is_near(sheet):
    mesh = sheet(9, 9, seed=0)
    local, used = crop_to_box(mesh, np.array([44]), 2.0)
    assert np.array_equal(local.vertices, mesh.vertices[used])
    near = np.linalg.norm(mesh.vertices - mesh.vertices[44], axis=1) < 2.0
    assert set(np.flatnonzero(near)) <= set(used) and len(used) < len(mesh.vertices)


def test_the_neighbourhood_reaches_past_the_margin_on_the_same_surface(workshop):
    skin = workshop.skin(4, half=40.0)
    defect = find_defects(skin.merged, skin.in_patch, margin_mm=5.0, least_mm2=100.0)[0]
    near = neighbourhood(skin.merged, defect, margin_mm=5.0)
    assert np.allclose(near.weights @ skin.merged.vertices, near.mesh.vertices)
    assert Surface(skin.merged).closest(near.mesh.vertices).distance.max() < 1e-6
    assert face_areas(near.mesh)[near.in_defect].sum() == pytest.approx(defect.area_mm2)
    assert edge_lengths(near.mesh).max() <= 1.5
    edge = np.flatnonzero(interface_vertices(near.mesh, near.in_defect))
    distance = geodesic_distance(near.mesh, edge)
    # Paths along edges are longer than the surface is wide; the margin and what it is wider by must fit all the same.
    assert distance[boundary_loops(near.mesh.faces)[0]].min() >= near.margin_mm + near.extra_mm == 8.0
    assert neighbourhood(skin.merged, defect, margin_mm=5.0, cavities=False).cavity_surface is None


def test_fine_scans_are_decimated(workshop):
    skin = workshop.skin(4, spacing=0.4, half=20.0)
    defect = find_defects(skin.merged, skin.in_patch, margin_mm=5.0, least_mm2=100.0)[0]
    full, fewer = (neighbourhood(skin.merged, defect, margin_mm=5.0, max_faces=most) for most in (60_000, 2_000))
    assert len(fewer.mesh.faces) < 0.8 * len(full.mesh.faces)
    assert Surface(skin.merged).closest(fewer.mesh.vertices).distance.max() < 0.05
    assert face_areas(fewer.mesh)[fewer.in_defect].sum() == pytest.approx(defect.area_mm2, rel=0.02)


def test_a_defect_without_skin_is_refused(sheet):
    mesh = sheet(3, 3)
    with pytest.raises(ScanError, match="touches no skin"):
        neighbourhood(mesh, Defect(np.ones(len(mesh.faces), bool), 9.0, np.zeros(3)), margin_mm=5.0)
