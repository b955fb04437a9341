"""Remnants that stand in the way of a part are measured, and cut as deep as the part needs."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp

from facecom.geometry.mesh import joined
from facecom.geometry.transform import Similarity, rotation_from_vector
from facecom.prosthesis.defect.design_surface import DesignSurface
from facecom.prosthesis.defect.neighbourhood import Defect
from facecom.prosthesis.shell.thickness import smoothstep
from facecom.prosthesis.shell.trimming import trim_remnants

UP, DEFECT_MM = np.array([0.0, 0.0, 1.0]), 9.0


@pytest.fixture
def wound(workshop):
    """Level skin that lacks a disc, and a bed 8 mm deep from which two humps rise, one of them above the skin."""
    skin = workshop.plate(16.0, 0.5)
    in_patch = np.hypot(*skin.vertices[skin.faces].mean(1)[:, :2].T) < DEFECT_MM

    def height(x, y):
        hump = 10.0 * np.exp(-((x + 3.0) ** 2 + y**2) / 4.0) + 6.0 * np.exp(-((x - 4.0) ** 2 + y**2) / 4.0)
        return np.where(np.hypot(x, y) < DEFECT_MM, hump - 8.0, 0.0)

    bed = workshop.plate(9.0, 0.25, height=height)
    pose = Similarity(rotation_from_vector([0.3, -0.2, 0.5]), np.array([5.0, -7.0, 40.0]))
    source = DesignSurface(
        completion=SimpleNamespace(context=SimpleNamespace(fit=SimpleNamespace(pose=pose))),
        merged=skin,
        in_patch=in_patch,
        provenance=np.zeros(len(skin.vertices), int),
        sigma_mm=np.zeros(len(skin.vertices)),
        face=skin.vertices,
        weights=sp.identity(len(skin.vertices), format="csr"),
        tissue=joined(skin.submesh(~in_patch)[0], bed),
        bed=bed,
    )
    return source, Defect(in_patch, float(np.pi * DEFECT_MM**2), np.zeros(3)), height


def test_what_stands_in_the_way_is_listed_with_its_volume_depth_and_place(workshop, wound):
    source, defect, height = wound
    cut, cuts = trim_remnants(source, defect, UP, thickness=workshop.thickness)
    x, y = np.meshgrid(*[np.arange(-8.0, 8.0, 0.02)] * 2)
    room = 0.7 * smoothstep((DEFECT_MM - np.hypot(x, y)) / 5.0)
    over = np.where(np.hypot(x, y) < 8.0, np.maximum(height(x, y) + room, 0.0), 0.0)
    (hump,) = cuts
    assert hump.volume_mm3 == pytest.approx(over.sum() * 0.02**2, rel=0.03)
    assert hump.area_mm2 == pytest.approx((over > 0).sum() * 0.02**2, rel=0.1)
    assert hump.depth_mm == pytest.approx(over.max(), abs=0.03)
    in_face = source.completion.context.fit.pose.apply(np.array([hump.at]))[0]
    assert np.abs(in_face - [-3.0, 0.0, 2.0]).max() < 0.15
    within = np.hypot(*cut.bed.vertices[:, :2].T) < 3.4
    assert cut.bed.vertices[within, 2].max() == pytest.approx(-0.7, abs=1e-6)


def test_the_scan_is_cut_with_its_bed_and_nothing_else_moves(workshop, wound):
    source, defect, _ = wound
    cut, _ = trim_remnants(source, defect, UP, thickness=workshop.thickness)
    moved = (cut.bed.vertices != source.bed.vertices).any(1)
    assert 0 < moved.sum() < 0.2 * len(moved)
    assert (cut.bed.vertices[moved, 2] < source.bed.vertices[moved, 2]).all()
    assert np.array_equal(cut.bed.vertices[:, :2], source.bed.vertices[:, :2])
    count = len(source.bed.vertices)
    assert np.array_equal(cut.tissue.vertices[-count:], cut.bed.vertices)
    assert np.array_equal(cut.tissue.vertices[:-count], source.tissue.vertices[:-count])
    again, cuts = trim_remnants(cut, defect, UP, thickness=workshop.thickness)
    assert cuts == () and np.allclose(again.bed.vertices, cut.bed.vertices, atol=1e-6)


def test_where_nothing_is_in_the_way_nothing_is_cut(workshop, wound):
    source, defect, _ = wound
    deep = replace(source, bed=source.bed.with_vertices(source.bed.vertices - [0.0, 0.0, 6.0]))
    assert trim_remnants(deep, defect, UP, thickness=workshop.thickness) == (deep, ())
    none = replace(source, bed=None)
    assert trim_remnants(none, defect, UP, thickness=workshop.thickness) == (none, ())
