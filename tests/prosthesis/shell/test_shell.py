"""What must hold of every part and mould, on generated defects."""

import numpy as np
import pytest
import scipy.sparse as sp
import trimesh
from scipy.spatial import cKDTree

from facecom.geometry.closest_points import Surface
from facecom.geometry.geodesic import geodesic_distance
from facecom.geometry.intersections import intersecting_edges
from facecom.geometry.mesh import Mesh, boundary_loops
from facecom.prosthesis.checks.tissue import check_tissue
from facecom.prosthesis.shell import shell
from facecom.prosthesis.shell.face_kinds import INNER, classify_faces, wall_thickness
from facecom.prosthesis.shell.mould import MouldSettings, build_mould
from facecom.prosthesis.shell.outer_surface import OuterSurface
from facecom.prosthesis.shell.shell import _spanned_without
from facecom.prosthesis.solid.booleans import extrude_to_floor, to_mesh, to_solid


def _checked(built) -> Mesh:
    """The part's mesh, closed, with a volume on which trimesh and manifold3d agree."""
    part = to_mesh(built.shell.solid)
    solid = trimesh.Trimesh(part.vertices, part.faces, process=False)
    assert solid.is_watertight and solid.is_winding_consistent
    assert solid.volume > 100.0
    assert solid.volume == pytest.approx(built.shell.solid.volume(), rel=1e-9)
    assert len(solid.split(only_watertight=False)) == 1
    return part


@pytest.mark.parametrize(("faults", "best"), [((0, 2, 0), "first"), ((0, 0, 3), "second")])
def test_attempts_on_all_borders_are_counted_and_the_part_with_the_fewest_faults_is_taken(monkeypatch, faults, best):
    """Two attempts on the first border, after which it is drawn anew, and one on the second."""
    told = []

    class Workpiece:
        def __init__(self, surfaces, **_):
            self.surfaces = surfaces

        def finished(self, built, relief):
            return built

    def build(workpiece, outline, attempts, begin, candidates):
        begin(0)
        if workpiece.surfaces == "second":
            assert attempts == 2
            candidates.append(shell._Candidate(workpiece, "second", faults))
            return None, 1
        begin(1)
        candidates.append(shell._Candidate(workpiece, "first", (0, 1, 9)))
        return "second", 2

    monkeypatch.setattr(shell, "_Workpiece", Workpiece)
    monkeypatch.setattr(shell, "_build", build)
    options = {"thickness": None, "rotation": None, "grid_mm": 1.0}
    assert shell.build_shell("first", progress=told.append, **options) == best
    assert told == [0.0, 0.25, 0.5]
    assert shell.build_shell("first", **options) == best


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 21))
def test_parts_hold_on_twenty_defects(workshop, seed):
    # From 6 to 10 mm in size, around places up to 3 mm from the middle of the bump: on its top, its flank, its foot.
    angle, radius = 2.4 * seed, 6.0 + 0.2 * seed
    place = (3.0 * np.cos(angle), 3.0 * np.sin(angle))
    skin = workshop.skin(seed, spacing=2.5, half=26.0, radius=radius, place=place)
    built = workshop.build(skin, axis="front", grid_mm=1.0)
    part = _checked(built)
    assert not len(intersecting_edges(part))
    outer, inner = built.shell.outer.mesh, classify_faces(part, built.shell.outer.mesh) == INNER
    assert wall_thickness(outer, part, inner).min() >= workshop.thickness.edge
    middles = outer.vertices[outer.faces].mean(1)
    assert Surface(part.submesh(inner)[0]).closest(middles).distance.min() >= workshop.thickness.edge
    for up in (0.0, 0.5, 2.0, 8.0):
        assert (built.shell.solid.translate([0.0, 0.0, up]) ^ built.shell.tissue).volume() < 1e-6
    mould = build_mould(built.shell, settings=MouldSettings())
    for first, second in ((mould.face, mould.back), (mould.face, built.shell.solid), (mould.back, built.shell.solid)):
        assert (first ^ second).volume() < 1e-3
    for half in (mould.face, mould.back):
        mesh = to_mesh(half)
        assert trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).is_watertight
    # Half a rests on the flange of half b: neither may be a hollow box that fits by being empty.
    assert min(mould.face.volume(), mould.back.volume()) > 3.0 * built.shell.solid.volume()


def test_the_outer_face_is_the_patch_away_from_the_margin(workshop, built):
    part = to_mesh(built.shell.solid)
    deep = built.shell.outer.defect_distance > workshop.thickness.blend
    assert deep.sum() > 20
    surface = Surface(built.skin.merged.with_vertices(built.skin.merged.vertices @ built.rotation.T))
    assert surface.closest(built.shell.outer.mesh.vertices[deep]).distance.max() < 1e-6
    assert Surface(part).closest(built.shell.outer.mesh.vertices).distance.max() < 1e-6


def test_the_part_never_reaches_below_the_skin_that_it_lies_on(built):
    part = to_mesh(built.shell.solid)
    place = part.vertices @ built.rotation
    hole = built.skin.merged.vertices[np.unique(built.skin.merged.faces[built.skin.in_patch])]
    far = cKDTree(hole[:, :2]).query(place[:, :2])[0] > 2.0
    above = place[far, 2] - built.skin.height(place[far, :2])
    assert far.sum() > 100
    # The skin's triangles are chords of the smooth surface that this compares with.
    assert above.min() > -0.25
    # The foot of the cut along the border is no deeper than the lip is thick.
    assert above.max() < 1.5


def test_the_rim_grows_with_the_distance_from_the_border(built):
    outer = built.shell.outer
    part = to_mesh(built.shell.solid)
    thickness = wall_thickness(outer.mesh, part, classify_faces(part, outer.mesh) == INNER)
    border = geodesic_distance(outer.mesh, outer.border)
    means = [thickness[(border >= a) & (border < a + 1.5)].mean() for a in (0.0, 1.5, 3.0, 4.5, 6.0, 7.5)]
    assert (np.diff(means) > 0).all()
    on_skin = outer.defect_distance < -0.5
    assert np.abs(border - (5.0 + outer.defect_distance))[on_skin].mean() < 0.35
    assert np.abs(border - outer.border_distance)[outer.border_distance < 4.5].mean() < 0.05
    # Bays are filled, nothing else: the skin under the border is a margin away from the defect, or a little more.
    away = -outer.defect_distance[outer.border]
    assert away.min() > 4.6 and away.mean() < 5.6


@pytest.mark.slow
def test_a_scanned_wound_bed_bounds_the_part(workshop):
    skin = workshop.skin(3)
    bed_faces = np.isin(np.arange(len(skin.merged.faces)), np.flatnonzero(skin.in_patch))
    bed, _ = skin.merged.submesh(bed_faces)
    rim = np.unique(boundary_loops(bed.faces)[0])
    sunk = bed.vertices - [0.0, 0.0, 6.0]
    sunk[rim] = bed.vertices[rim]
    bed = bed.with_vertices(sunk)
    built = workshop.build(skin, axis="front", bed=bed)
    part = to_mesh(built.shell.solid)
    _checked(built)
    gap = Surface(part).closest(bed.vertices[np.setdiff1d(np.arange(len(sunk)), rim)]).distance
    assert np.median(gap) == pytest.approx(workshop.thickness.clearance, abs=0.05)
    assert (built.shell.solid ^ to_solid(extrude_to_floor(bed, floor=-60.0))).volume() < 1e-3


@pytest.mark.slow
def test_a_part_keeps_off_the_raw_scan_and_what_remains_in_the_defect(workshop):
    skin = workshop.skin(3)
    scan = skin.merged.submesh(~skin.in_patch)[0]
    middle = skin.merged.vertices[skin.merged.faces[skin.in_patch]].mean((0, 1))
    peak = workshop.plate(2.0, 0.5, height=lambda x, y: 1.5 - 0.4 * (x**2 + y**2) + middle[2] - 1.5)
    remnant = peak.with_vertices(peak.vertices + [middle[0], middle[1], 0.0])
    raw = Mesh(
        np.concatenate([scan.vertices, remnant.vertices]),
        np.concatenate([scan.faces, remnant.faces + len(scan.vertices)]),
    )
    overlaps = []
    for known in (None, raw):
        built = workshop.build(skin, axis="front", raw_tissue=known)
        there = raw.with_vertices(raw.vertices @ built.rotation.T)
        overlaps.append(check_tissue(to_mesh(built.shell.solid), there, axis=[0, 0, 1]))
    assert overlaps[0].tissue_overlap_mm3 > 5.0 and overlaps[0].tissue_overlap_deepest_mm > 0.3
    assert overlaps[1].tissue_overlap_mm3 < 0.5 and overlaps[1].tissue_overlap_deepest_mm < 0.15
    assert overlaps[1].withdrawal_overlap_mm3 < 0.5


def test_where_a_fold_is_left_out_a_membrane_spans_the_hole(workshop):
    skin = workshop.skin(1)
    count = len(skin.merged.vertices)
    outer = OuterSurface(skin.merged, np.zeros(count), np.zeros(count), sp.identity(count, format="csr"))
    lost = np.linalg.norm(skin.merged.vertices[:, :2], axis=1) < 4.0
    less = _spanned_without(outer, lost, rings=1)
    assert np.allclose(less.weights @ skin.merged.vertices, less.mesh.vertices)
    assert len(boundary_loops(less.mesh.faces)) == 1 and not len(intersecting_edges(less.mesh))
    gone = skin.merged.vertices[lost]
    assert cKDTree(less.mesh.vertices).query(gone)[0].min() > 0.01
    assert Surface(less.mesh).closest(gone).distance.max() < 6.0
