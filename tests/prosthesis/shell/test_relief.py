"""Skin relief on the outer face."""

from types import SimpleNamespace

import numpy as np
import scipy.sparse as sp

from facecom.geometry.intersections import intersecting_edges
from facecom.geometry.mesh import vertex_normals
from facecom.prosthesis.shell.outer_surface import OuterSurface
from facecom.prosthesis.shell.relief import Relief, sample_relief

UP = np.array([0.0, 0.0, 1.0])


def _detail(smooth, height):
    """Relief along the axis on a smooth plate."""
    normals = np.tile(UP, (len(height), 1))
    return SimpleNamespace(
        smooth=smooth, normals=normals, displacement=height + 0.2, base_offset=np.full(len(height), 0.2)
    )


def test_relief_is_laid_on_what_was_made_and_fades_out_at_its_edge(workshop):
    plate = workshop.plate(6.0, 0.5)
    height = 0.1 * np.sin(2.0 * plate.vertices[:, 0])
    defect_distance = 4.0 - np.linalg.norm(plate.vertices[:, :2], axis=1)
    moved, normals = sample_relief(defect_distance, plate.vertices, _detail(plate, height))
    assert np.allclose(moved[defect_distance > 1.0], height[defect_distance > 1.0]) and np.allclose(normals, UP)
    assert not moved[defect_distance <= 0].any()
    assert (np.abs(moved) <= np.abs(height) + 1e-12).all()
    assert not sample_relief(defect_distance, plate.vertices + [0.0, 0.0, 9.0], _detail(plate, height))[0].any()


def test_relief_gives_way_where_the_face_would_fold_or_cross_itself(workshop):
    # A groove so narrow that bumps on its two sides would meet.
    x, y = np.meshgrid(np.arange(-4.0, 4.01, 0.2), np.arange(-4.0, 4.01, 0.2), indexing="ij")
    ticks = x[:, 0]
    groove = workshop.grid_disc(ticks, ticks, lambda a, b: (a, b, -3.0 * np.exp(-((a / 0.25) ** 2))))
    defect_distance = np.full(x.size, 5.0)
    normals = vertex_normals(groove.vertices, groove.faces)
    detail = SimpleNamespace(
        smooth=groove, normals=normals, displacement=np.full(x.size, 0.5), base_offset=np.zeros(x.size)
    )
    outer = OuterSurface(groove, defect_distance, defect_distance, sp.identity(x.size, format="csr"))
    asked = groove.with_vertices(groove.vertices + 0.5 * normals)
    assert len(intersecting_edges(asked))
    rough, rms = Relief(detail, np.eye(3), 5.0).on(outer)
    assert not len(intersecting_edges(rough.mesh)) and 0.3 < rms < 0.5
    away = np.abs(groove.vertices[:, 0]) > 2.0
    assert np.allclose(rough.mesh.vertices[away], asked.vertices[away])
    half, less = Relief(detail, np.eye(3), 5.0).on(outer, share=0.5)
    assert less < rms and not len(intersecting_edges(half.mesh))
