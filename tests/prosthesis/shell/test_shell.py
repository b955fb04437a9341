"""What must hold of every part and mould, on generated defects."""

import numpy as np
import pytest
import scipy.sparse as sp
import trimesh
from scipy.spatial import cKDTree

from facecom.errors import ScanError
from facecom.geometry.closest_points import Surface
from facecom.geometry.geodesic import geodesic_distance
from facecom.geometry.intersections import intersecting_edges
from facecom.geometry.mesh import Mesh, boundary_loops
from facecom.prosthesis.defect.neighbourhood import neighbourhood
from facecom.prosthesis.inspection import INNER, SIDE, face_kinds, wall_thickness
from facecom.prosthesis.shell.axis import choose_axis
from facecom.prosthesis.shell.margin import drawn_sheet, margin_around
from facecom.prosthesis.shell.mould import MouldSettings, build_mould
from facecom.prosthesis.shell.outer_surface import OuterSurface, find_defects
from facecom.prosthesis.shell.shell import _thick_enough, _without, build_shell
from facecom.prosthesis.shell.thickness import Thickness
from facecom.prosthesis.solid.booleans import below, height_solid, to_mesh, to_solid
from facecom.prosthesis.solid.clipping import clip_faces, closed_inside


def _checked(built) -> Mesh:
    """The part's mesh, closed, with a volume on which trimesh and manifold3d agree."""
    part = to_mesh(built.shell.solid)
    solid = trimesh.Trimesh(part.vertices, part.faces, process=False)
    assert solid.is_watertight and solid.is_winding_consistent
    assert solid.volume > 100.0
    assert solid.volume == pytest.approx(built.shell.solid.volume(), rel=1e-9)
    assert len(solid.split(only_watertight=False)) == 1
    return part


@pytest.mark.parametrize("seed", range(1, 21))
def test_parts_hold_on_twenty_defects(workshop, seed):
    # From 6 to 10 mm in size, around places up to 3 mm from the middle of the bump: on its top, its flank, its foot.
    turn, radius = 2.4 * seed, 6.0 + 0.2 * seed
    place = (3.0 * np.cos(turn), 3.0 * np.sin(turn))
    skin = workshop.skin(seed, spacing=2.5, half=26.0, radius=radius, place=place)
    built = workshop.build(skin, axis="front", grid_mm=1.0)
    part = _checked(built)
    assert not len(intersecting_edges(part))
    outer, inner = built.shell.outer.mesh, face_kinds(part, built.shell.outer.mesh) == INNER
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


def test_the_outer_face_is_the_made_skin_away_from_the_margin(workshop, built):
    part = to_mesh(built.shell.solid)
    deep = built.shell.outer.inward > workshop.thickness.blend
    assert deep.sum() > 20
    surface = Surface(built.skin.merged.with_vertices(built.skin.merged.vertices @ built.turn.T))
    assert surface.closest(built.shell.outer.mesh.vertices[deep]).distance.max() < 1e-6
    assert Surface(part).closest(built.shell.outer.mesh.vertices).distance.max() < 1e-6


def test_the_part_never_reaches_below_the_skin_that_it_lies_on(built):
    part = to_mesh(built.shell.solid)
    place = part.vertices @ built.turn
    hole = built.skin.merged.vertices[np.unique(built.skin.merged.faces[built.skin.made])]
    far = cKDTree(hole[:, :2]).query(place[:, :2])[0] > 2.0
    above = place[far, 2] - built.skin.height(place[far, :2])
    assert far.sum() > 100
    # The skin's triangles are chords of the smooth surface that this compares with.
    assert above.min() > -0.25
    # The foot of the cut along the border is no deeper than the lip is thick.
    assert above.max() < 1.5


def test_thickness_never_falls_towards_the_middle_and_starts_at_the_edge(workshop):
    rim = np.linspace(0.0, 25.0, 400)
    thickness = workshop.thickness.at(rim)
    assert (np.diff(thickness) >= 0).all()
    assert thickness[0] == pytest.approx(0.3) and thickness[-1] == pytest.approx(3.0)
    assert (workshop.thickness.over_skin(rim) <= np.minimum(thickness, workshop.thickness.lip)).all()
    lift = workshop.thickness.lift(rim, rim - 5.0)
    assert np.abs(np.diff(lift)).max() < 0.05 and lift[-1] == 0.0
    whole = Thickness(edge=0.3, lip=3.0, wall=3.0, clearance=0.1, margin=5.0, blend=5.0)
    assert whole.at(np.full(1, 5.0))[0] == pytest.approx(3.0)


def test_the_rim_grows_with_the_distance_from_the_border(built):
    outer = built.shell.outer
    part = to_mesh(built.shell.solid)
    thickness = wall_thickness(outer.mesh, part, face_kinds(part, outer.mesh) == INNER)
    border = geodesic_distance(outer.mesh, outer.loop)
    means = [thickness[(border >= a) & (border < a + 1.5)].mean() for a in (0.0, 1.5, 3.0, 4.5, 6.0, 7.5)]
    assert (np.diff(means) > 0).all()
    assert np.abs(border[outer.inward < -0.5] - (5.0 + outer.inward[outer.inward < -0.5])).mean() < 0.35
    assert np.abs(border - outer.rim)[outer.rim < 4.5].mean() < 0.05
    # Bays are filled, nothing else: the skin under the border is a margin away from the defect, or a little more.
    away = -outer.inward[outer.loop]
    assert away.min() > 4.6 and away.mean() < 5.6


def test_a_cut_that_was_drawn_smooth_at_its_foot_is_still_no_inner_face(built):
    outer, part = built.shell.outer.mesh, to_mesh(built.shell.solid)
    kind = face_kinds(part, outer)
    before = wall_thickness(outer, part, kind == INNER)
    shown = cKDTree(outer.vertices).query(part.vertices)[0] < 1e-6
    foot = np.setdiff1d(np.unique(part.faces[kind == SIDE]), np.flatnonzero(shown))
    rng = np.random.default_rng(0)
    moved = part.vertices.copy()
    moved[foot[:6]] += rng.uniform(-0.02, 0.02, (6, 3))
    bent = part.with_vertices(moved)
    after = wall_thickness(outer, bent, face_kinds(bent, outer) == INNER)
    assert (moved != part.vertices).any()
    assert after.min() > 0.9 * before.min()


def test_mould_and_part_fit_without_overlap_and_leave_no_gap(built):
    mould = build_mould(built.shell, settings=MouldSettings())
    part = built.shell.solid
    for solid in (mould.face, mould.back):
        mesh = to_mesh(solid)
        checked = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
        assert checked.is_watertight and checked.volume == pytest.approx(solid.volume(), rel=1e-9)
    for first, second in ((mould.face, mould.back), (mould.face, part), (mould.back, part)):
        assert (first ^ second).volume() < 1e-3
    shown = built.shell.outer.mesh.vertices
    assert Surface(to_mesh(mould.face)).closest(shown).distance.max() < 1e-3
    assert len(mould.vents) >= 1
    # The channels reach the part: a rod's middle is empty all the way down.
    down = Surface(to_mesh(mould.back)).cast(mould.sprue[None] + [0, 0, 0.1], [[0.0, 0.0, -1.0]])
    assert not np.isfinite(down.depth).any()


def test_the_face_half_comes_off_along_the_axis_where_nothing_hangs_over(workshop):
    built = workshop.build(workshop.skin(5, spacing=2.5, half=24.0, radius=9.0), axis="front", grid_mm=1.0)
    mould = build_mould(built.shell, settings=MouldSettings())
    for up in (0.2, 1.0, 5.0):
        assert (mould.face.translate([0.0, 0.0, up]) ^ built.shell.solid).volume() < 1e-3


def test_a_scanned_wound_bed_bounds_the_part(workshop):
    skin = workshop.skin(3)
    bed_faces = np.isin(np.arange(len(skin.merged.faces)), np.flatnonzero(skin.made))
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
    assert (built.shell.solid ^ to_solid(below(bed, floor=-60.0))).volume() < 1e-3


def test_several_holes_are_several_defects_unless_their_margins_meet(workshop):
    skin = workshop.skin(0, half=40.0, radius=0.0)
    middle = skin.merged.vertices[skin.merged.faces].mean(1)
    far = (np.hypot(middle[:, 0] - 20, middle[:, 1]) < 7) | (np.hypot(middle[:, 0] + 20, middle[:, 1]) < 8)
    found = find_defects(skin.merged, far, margin_mm=5.0, least_mm2=50.0)
    assert len(found) == 2 and found[0].area_mm2 > found[1].area_mm2
    near = (np.hypot(middle[:, 0] - 11, middle[:, 1]) < 7) | (np.hypot(middle[:, 0] + 11, middle[:, 1]) < 7)
    assert len(find_defects(skin.merged, near, margin_mm=5.0, least_mm2=50.0)) == 1


def test_what_is_raised_in_a_cleft_does_not_fold():
    ticks = np.arange(-3.0, 3.01, 0.25)
    x, y = (a.ravel() for a in np.meshgrid(ticks, ticks, indexing="ij"))
    k = np.arange(len(x)).reshape(len(ticks), -1)
    a, b, c, d = k[:-1, :-1].ravel(), k[1:, :-1].ravel(), k[1:, 1:].ravel(), k[:-1, 1:].ravel()
    cleft = Mesh(np.stack([x, y, 2.5 * np.abs(x)], 1), np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]))
    behind = to_solid(below(cleft.with_vertices(cleft.vertices - [0.0, 0.0, 0.2]), floor=-3.0))
    raised, thin = _thick_enough(cleft, (behind,), 0.3)
    assert not thin.any()
    assert not len(intersecting_edges(raised))
    away = Surface(to_mesh(behind)).closest(raised.vertices).distance
    assert away.min() > 0.3


def test_nothing_hangs_from_a_border_beyond_which_the_skin_drops(workshop):
    across, along = np.arange(-9.0, 13.1, 0.5), np.arange(-12.0, 12.1, 0.5)
    u, v = (a.ravel() for a in np.meshgrid(across, along, indexing="ij"))
    k = np.arange(len(u)).reshape(len(across), -1)
    a, b, c, d = k[:-1, :-1].ravel(), k[1:, :-1].ravel(), k[1:, 1:].ravel(), k[:-1, 1:].ravel()
    # Straight down beyond x = 9, as skin goes into a mouth.
    mesh = Mesh(
        np.stack([np.minimum(u, 9.0), v, np.minimum(9.0 - u, 0.0)], 1),
        np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]),
    )
    inward = 3.0 - np.maximum(np.abs(u), np.abs(v) - 3.0)
    around = OuterSurface(mesh, inward, inward + 5.0, sp.identity(len(u), format="csr"))
    inside = ((u <= 9.0) & (np.abs(v) <= 9.0))[mesh.faces].all(1)
    cut, used = mesh.submesh(inside)
    outer = OuterSurface(cut, around.inward[used], around.rim[used], around.weights[used])
    ground = mesh.with_vertices(mesh.vertices - [0.0, 0.0, 20.0])
    built = build_shell(outer, around, ground, thickness=workshop.thickness, turn=np.eye(3), grid_mm=0.7)
    part = to_mesh(built.solid)
    beside = part.vertices[:, 0] > 8.0
    assert beside.sum() > 20 and part.vertices[beside, 2].min() > -workshop.thickness.lip - 2 * 0.7


def test_where_a_fold_is_left_out_a_membrane_spans_the_hole(workshop):
    skin = workshop.skin(1)
    count = len(skin.merged.vertices)
    sheet = OuterSurface(skin.merged, np.zeros(count), np.zeros(count), sp.identity(count, format="csr"))
    lost = np.linalg.norm(skin.merged.vertices[:, :2], axis=1) < 4.0
    less = _without(sheet, lost, rings=1)
    assert np.allclose(less.weights @ skin.merged.vertices, less.mesh.vertices)
    assert len(boundary_loops(less.mesh.faces)) == 1 and not len(intersecting_edges(less.mesh))
    gone = skin.merged.vertices[lost]
    assert cKDTree(less.mesh.vertices).query(gone)[0].min() > 0.01
    assert Surface(less.mesh).closest(gone).distance.max() < 6.0


def test_long_winding_slits_are_closed_without_crossing():
    turn, across = np.linspace(0.0, np.pi, 61), np.linspace(10.0, 18.0, 17)
    t, r = (a.ravel() for a in np.meshgrid(turn, across, indexing="ij"))
    k = np.arange(len(t)).reshape(len(turn), -1)
    a, b, c, d = k[:-1, :-1].ravel(), k[1:, :-1].ravel(), k[1:, 1:].ravel(), k[:-1, 1:].ravel()
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    # A fan around the middle of such a slit leaves the band.
    lid = Mesh(np.stack([r * np.cos(t), r * np.sin(t), 4.0 * np.sin(t) ** 2 + 0.3 * np.abs(r - 14.0)], 1), faces)
    middle = np.stack([t[faces].mean(1), r[faces].mean(1)], 1)
    kept = (np.abs(middle[:, 1] - 14.0) > 0.5) | (np.abs(middle[:, 0] - np.pi / 2) > 1.3)
    torn, _ = lid.submesh(kept)
    closed, weights = closed_inside(torn, sp.identity(len(torn.vertices), format="csr"))
    assert len(boundary_loops(torn.faces)) == 2 and len(boundary_loops(closed.faces)) == 1
    assert not len(intersecting_edges(closed)) and np.allclose(weights @ torn.vertices, closed.vertices)
    assert Surface(lid).closest(closed.vertices).distance.max() < 1.0


def test_a_slit_beside_what_was_made_is_no_border_of_the_scan(workshop):
    skin = workshop.skin(0)
    rim = np.intersect1d(skin.merged.faces[skin.made], skin.merged.faces[~skin.made])
    lost = np.flatnonzero((np.isin(skin.merged.faces, rim).sum(1) == 2) & ~skin.made)[:1]
    kept = np.ones(len(skin.made), bool)
    kept[lost] = False
    torn = Mesh(skin.merged.vertices, skin.merged.faces[kept])
    found = find_defects(torn, skin.made[kept], margin_mm=5.0, least_mm2=50.0)
    assert len(found) == 1 and found[0].faces.sum() == skin.made.sum()
    with pytest.raises(ScanError, match="own border"):
        find_defects(torn, skin.made[kept], margin_mm=5.0, least_mm2=50.0, slit_mm=1.0)
    near = neighbourhood(torn, found[0], margin_mm=5.0)
    sheet, _, _ = drawn_sheet(margin_around(near, towards=np.array([0.0, 0.0, 1.0])))
    assert len(boundary_loops(sheet.mesh.faces)) == 1


def test_bad_defects_are_refused_with_a_sentence(workshop):
    skin = workshop.skin(0)
    with pytest.raises(ScanError, match="nothing is missing"):
        find_defects(skin.merged, np.zeros_like(skin.made), margin_mm=5.0, least_mm2=10.0)
    with pytest.raises(ScanError, match="too little"):
        find_defects(skin.merged, skin.made, margin_mm=5.0, least_mm2=1e5)
    middle = skin.merged.vertices[skin.merged.faces].mean(1)
    with pytest.raises(ScanError, match="own border"):
        find_defects(skin.merged, middle[:, 0] > 15.0, margin_mm=5.0, least_mm2=10.0)
    defect = find_defects(skin.merged, skin.made, margin_mm=5.0, least_mm2=10.0)[0]
    with pytest.raises(ScanError, match="larger than the face"):
        margin_around(neighbourhood(skin.merged, defect, margin_mm=20.0), towards=np.array([0.0, 0.0, 1.0]))


def test_impossible_axes_are_refused_with_a_sentence(built):
    outer = built.shell.outer.mesh
    for axis in ((0.0, 0.0, -1.0), (1.0, 0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 1.0), "sideways"):
        with pytest.raises(ValueError, match="axis|taken off"):
            choose_axis(outer, None, np.array([0.0, 0.0, 1.0]), given=axis)


def test_clipping_keeps_the_plane_and_the_right_side(sheet):
    mesh = sheet(6, 6, seed=1)
    part, weights = clip_faces(mesh, mesh.vertices[:, 0], 2.6)
    assert part.vertices[:, 0].max() <= 2.6 + 0.03
    assert np.allclose(weights @ mesh.vertices, part.vertices)
    area = trimesh.Trimesh(part.vertices, part.faces, process=False).area
    assert area == pytest.approx(2.6 * 6, rel=0.01)


def test_solids_of_height_fields_are_closed_and_hold_what_lies_under_them():
    heights = np.array([[1.0, 2.0, np.nan], [1.0, 1.0, 3.0], [2.0, 2.0, 2.0]])
    solid = height_solid(heights, origin=np.zeros(2), spacing=1.0, floor=-1.0)
    checked = trimesh.Trimesh(solid.vertices, solid.faces, process=False)
    assert checked.is_watertight and checked.volume == pytest.approx(to_solid(solid).volume())
    flat = height_solid(np.ones((3, 4)), origin=np.zeros(2), spacing=2.0, floor=-1.0)
    assert to_solid(flat).volume() == pytest.approx(2 * 3 * 4 * 2.0)
    with pytest.raises(ValueError, match="no closed solid"):
        to_solid(Mesh(solid.vertices, solid.faces[1:]))
