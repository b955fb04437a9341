"""Meshes cut along a level set, and holes closed by membranes."""

import numpy as np
import pytest
import scipy.sparse as sp
import trimesh

from facecom.geometry.closest_points import Surface
from facecom.geometry.intersections import intersecting_edges
from facecom.geometry.mesh import Mesh, boundary_loops, face_areas
from facecom.prosthesis.solid.clipping import clip_faces, fill_inner_holes, outer_boundary_loop, split_at_level

UP = np.array([0.0, 0.0, 1.0])


def test_clipping_keeps_the_plane_and_the_right_side(sheet):
    mesh = sheet(6, 6, seed=1)
    part, weights = clip_faces(mesh, mesh.vertices[:, 0], 2.6)
    assert part.vertices[:, 0].max() <= 2.6 + 0.03
    assert np.allclose(weights @ mesh.vertices, part.vertices)
    area = trimesh.Trimesh(part.vertices, part.faces, process=False).area
    assert area == pytest.approx(2.6 * 6, rel=0.01)


def test_what_is_divided_is_still_all_there(workshop):
    plate = workshop.plate(4.0, 0.7)
    values = np.hypot(plate.vertices[:, 0] - 0.3, plate.vertices[:, 1])
    both, weights, within = split_at_level(plate, values, 2.0)
    assert np.allclose(weights @ plate.vertices, both.vertices)
    assert face_areas(both).sum() == pytest.approx(face_areas(plate).sum())
    assert len(boundary_loops(both.faces)) == 1
    inner = both.vertices[np.unique(both.faces[within])]
    assert np.hypot(inner[:, 0] - 0.3, inner[:, 1]).max() < 2.1 and face_areas(both)[within].sum() > 0.9 * 4 * np.pi


def test_a_long_jagged_slit_is_not_the_outer_border(workshop):
    plate = workshop.plate(6.0, 0.5)
    angle = np.arctan2(plate.vertices[:, 1], plate.vertices[:, 0])
    far = np.hypot(plate.vertices[:, 0], plate.vertices[:, 1])
    wall = plate.with_vertices(plate.vertices + np.outer(30.0 * np.exp(-((far - 3.0) ** 2)) * np.sin(8 * angle), UP))
    middle = far[wall.faces].mean(1)
    torn, _ = wall.submesh((middle < 2.0) | (np.abs(middle - 3.0) > 0.7))
    torn, _ = torn.submesh(np.hypot(*torn.vertices[torn.faces].mean(1)[:, :2].T) > 2.5)
    closed, _ = fill_inner_holes(torn, sp.identity(len(torn.vertices), format="csr"))
    assert len(boundary_loops(closed.faces)) == 1
    assert np.abs(closed.vertices[outer_boundary_loop(closed), :2]).max(1).min() > 5.9


def test_long_winding_slits_are_closed_without_crossing():
    angle, across = np.linspace(0.0, np.pi, 61), np.linspace(10.0, 18.0, 17)
    t, r = (a.ravel() for a in np.meshgrid(angle, across, indexing="ij"))
    k = np.arange(len(t)).reshape(len(angle), -1)
    a, b, c, d = k[:-1, :-1].ravel(), k[1:, :-1].ravel(), k[1:, 1:].ravel(), k[:-1, 1:].ravel()
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    # A fan around the middle of such a slit leaves the band.
    lid = Mesh(np.stack([r * np.cos(t), r * np.sin(t), 4.0 * np.sin(t) ** 2 + 0.3 * np.abs(r - 14.0)], 1), faces)
    middle = np.stack([t[faces].mean(1), r[faces].mean(1)], 1)
    kept = (np.abs(middle[:, 1] - 14.0) > 0.5) | (np.abs(middle[:, 0] - np.pi / 2) > 1.3)
    torn, _ = lid.submesh(kept)
    closed, weights = fill_inner_holes(torn, sp.identity(len(torn.vertices), format="csr"))
    assert len(boundary_loops(torn.faces)) == 2 and len(boundary_loops(closed.faces)) == 1
    assert not len(intersecting_edges(closed)) and np.allclose(weights @ torn.vertices, closed.vertices)
    assert Surface(lid).closest(closed.vertices).distance.max() < 1.0
