"""Stitching keeps the scan, closes every opening on the face and leaves no seam."""

import functools
from collections.abc import Callable

import numpy as np
import pytest

from facecom.geometry.closest_points import Surface
from facecom.geometry.intersections import first_intersections
from facecom.geometry.mesh import Mesh, boundary_edges, boundary_loops, unique_edges
from facecom.stitching.rim_quality import smallest_angles
from facecom.stitching.stitch import Stitched, StitchSettings, measure_coverage, stitch

Cut = Callable[[np.ndarray], np.ndarray]
HALF = 30.0


def height(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return 12 * np.exp(-(x**2 + y**2) / 300) - 0.012 * (x**2 + y**2) + 0.8 * np.sin(x / 4) * np.cos(y / 5)


def grid(step: float, *, half: float, seed: int | None = None) -> Mesh:
    """The bumpy surface as a triangle mesh of about the given edge length; jittered when a seed is given."""
    count = round(2 * half / step)
    y, x = np.mgrid[: count + 1, : count + 1] * (2 * half / count) - half
    if seed is not None:
        inner = (np.abs(x) < half - 1e-9) & (np.abs(y) < half - 1e-9)
        shift = np.random.default_rng(seed).uniform(-0.25, 0.25, (2, *x.shape)) * step * inner
        x, y = x + shift[0], y + shift[1]
    index = np.arange(x.size).reshape(x.shape)
    a, b, c, d = index[:-1, :-1].ravel(), index[:-1, 1:].ravel(), index[1:, 1:].ravel(), index[1:, :-1].ravel()
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    points = np.stack([x.ravel(), y.ravel(), height(x, y).ravel()], 1)
    return Mesh(points, faces, uv=np.stack([0.5 + 0.01 * x.ravel() + 0.002 * y.ravel(), 0.01 * y.ravel()], 1))


def cut(mesh: Mesh, gone: Cut, *, noise: float = 0.05, seed: int = 0) -> Mesh:
    part, _ = mesh.submesh(~gone(mesh.vertices)[mesh.faces].any(1))
    return Mesh(part.vertices + np.random.default_rng(seed).normal(size=part.vertices.shape) * noise, part.faces)


def disc(x: float, y: float, radius: float) -> Cut:
    def on_face(p: np.ndarray) -> np.ndarray:
        angle = np.arctan2(p[:, 1] - y, p[:, 0] - x)
        return np.hypot(p[:, 0] - x, p[:, 1] - y) < radius * (1 + 0.1 * np.sin(5 * angle))

    return on_face


def either(*cuts: Cut) -> Cut:
    return lambda p: np.any([c(p) for c in cuts], axis=0)


@pytest.fixture(scope="module")
def face() -> Mesh:
    return grid(1.0, half=HALF)


CASES: dict[str, tuple[float, float, Cut]] = {
    "one hole": (1.7, 36, disc(3, -2, 11)),
    "three holes": (1.7, 36, either(disc(-12, 5, 6), disc(12, 8, 4), disc(2, -15, 3))),
    "hole with an island": (1.5, 36, lambda p: disc(0, 0, 14)(p) & ~disc(1, 1, 6)(p)),
    "half": (1.7, 36, lambda p: p[:, 0] > 2 + 2 * np.sin(p[:, 1] / 4)),
    "two pieces": (1.7, 36, lambda p: np.abs(p[:, 0] - 0.3 * p[:, 1]) < 5),
    "smaller than the face": (1.7, 22, disc(0, 0, 6)),
    "half and smaller": (1.7, 24, lambda p: p[:, 1] > 3),
    "coarse": (4.5, 40, disc(0, 0, 13)),
    "fine": (0.3, 16, disc(0, 0, 8)),
    "narrow bridge": (1.5, 36, either(disc(-7, 0, 6), disc(7, 0, 6))),
    "one vertex": (1.7, 36, lambda p: np.arange(len(p)) == np.hypot(p[:, 0], p[:, 1]).argmin()),
}


def used_twice(faces: np.ndarray) -> bool:
    """Each edge has at most two faces, and those run along it in opposite directions."""
    directed = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    return len(np.unique(directed, axis=0)) == len(directed) and unique_edges(faces)[2].max() <= 2


def within(mesh: Mesh, loop: np.ndarray, *, margin: float = 1.0) -> bool:
    return bool((np.abs(mesh.vertices[loop][:, :2]) < HALF - margin).all())


def assert_sound(scan: Mesh, face: Mesh, stitched: Stitched) -> None:
    merged = stitched.merged
    count = len(scan.vertices)
    assert np.array_equal(merged.vertices[:count], scan.vertices)
    assert np.array_equal(merged.faces[: len(scan.faces)], scan.faces)
    assert used_twice(merged.faces)
    assert len(np.unique(merged.faces)) == len(merged.vertices)
    assert np.array_equal(stitched.added, np.arange(len(merged.vertices)) >= count)
    assert np.array_equal(merged.vertices[stitched.patch_vertices], stitched.patch.vertices)
    assert np.array_equal(stitched.patch_vertices[stitched.patch.faces], merged.faces[len(scan.faces) :])
    assert stitched.weights.shape == (len(merged.vertices) - count, len(face.vertices))
    assert np.allclose(np.asarray(stitched.weights.sum(1)), 1.0)


@pytest.fixture(scope="module")
def case(face: Mesh) -> Callable[[str], tuple[Mesh, Stitched]]:
    """The scan of a named case and its stitching, made once."""

    @functools.cache
    def make(name: str) -> tuple[Mesh, Stitched]:
        step, half, gone = CASES[name]
        scan = cut(grid(step, half=half, seed=1), gone, noise=0.05 if step > 0.5 else 0.01)
        return scan, stitch(scan, face)

    return make


@pytest.mark.parametrize("name", CASES)
def test_every_opening_is_closed_and_the_scan_untouched(
    name: str, face: Mesh, case: Callable[[str], tuple[Mesh, Stitched]]
) -> None:
    scan, stitched = case(name)
    assert_sound(scan, face, stitched)
    assert len(stitched.patch.faces) > 0
    assert [loop for loop in boundary_loops(stitched.merged.faces) if within(stitched.merged, loop)] == []
    assert len(boundary_loops(stitched.merged.faces)) == 1
    assert stitched.n_loops_capped == 0


@pytest.mark.parametrize("name", CASES)
def test_patch_lies_on_the_surface_without_intersections_or_slivers(
    name: str, face: Mesh, case: Callable[[str], tuple[Mesh, Stitched]]
) -> None:
    scan, stitched = case(name)
    made = stitched.merged.vertices[len(scan.vertices) :]
    assert Surface(face).closest(made).distance.max(initial=0.0) < 0.35
    assert len(first_intersections(stitched.patch)[0]) == 0
    assert np.percentile(smallest_angles(stitched.patch.vertices, stitched.patch.faces), 2) > 12
    if name != "one vertex":  # six rim edges say nothing about a median
        assert stitched.quality.rim_angle_deg < stitched.quality.scan_angle_deg + 3
    assert stitched.warnings == ()


def test_angles_over_the_rim_do_not_betray_an_offset(face: Mesh) -> None:
    whole = grid(1.2, half=36, seed=1)
    scan = cut(whole.with_vertices(whole.vertices + [0, 0, 0.4]), disc(0, 0, 10), noise=0.0)
    stitched = stitch(scan, face)
    assert stitched.quality.residual_mm > 0.3
    assert stitched.quality.rim_angle_deg < stitched.quality.scan_angle_deg + 3


def test_edge_length_blends_from_the_scan_to_the_template(face: Mesh) -> None:
    scan = cut(grid(0.25, half=14, seed=1), disc(0, 0, 7), noise=0.005)
    patch = stitch(scan, face).patch
    edges, _, _ = unique_edges(patch.faces)
    middle = patch.vertices[edges].mean(1)
    edge_length = np.linalg.norm(patch.vertices[edges[:, 0]] - patch.vertices[edges[:, 1]], axis=1)
    depth = 7 - np.hypot(middle[:, 0], middle[:, 1])
    on_face = depth > 0
    rim = np.median(edge_length[on_face & (depth < 0.6)])
    core = np.median(edge_length[depth > 5])
    assert rim < 0.45
    assert 0.8 < core < 1.6
    assert rim < np.median(edge_length[(depth > 1.5) & (depth < 2.5)]) < core


def test_a_bag_behind_an_opening_is_cut_off_and_capped(face: Mesh) -> None:
    whole = grid(1.5, half=36, seed=1)
    slit = (np.abs(whole.vertices[:, 1]) < 2.5) & (np.abs(whole.vertices[:, 0]) < 9)
    scan, _ = whole.submesh(~slit[whole.faces].any(1))
    ring = min(boundary_loops(scan.faces), key=len)
    layers = [scan.vertices[ring] + [0, 0, -2.0 * k] for k in range(1, 6)]
    n, start = len(ring), len(scan.vertices)
    rows = [ring] + [start + n * k + np.arange(n) for k in range(5)]
    walls = []
    for upper, lower in zip(rows[:-1], rows[1:], strict=True):
        after_upper, after_lower = np.roll(upper, -1), np.roll(lower, -1)
        walls += [np.stack([after_upper, upper, lower], 1), np.stack([after_upper, lower, after_lower], 1)]
    bag = Mesh(np.concatenate([scan.vertices, *layers]), np.concatenate([scan.faces, *walls]))
    assert used_twice(bag.faces)
    gone = bag.vertices[:, 0] > 2 * np.sin(bag.vertices[:, 1])
    gone |= np.hypot(bag.vertices[:, 0], bag.vertices[:, 1]) > 40
    opened, _ = bag.submesh(~(gone & (np.abs(bag.vertices[:, 1]) < 14))[bag.faces].any(1))
    stitched = stitch(opened, face)
    assert_sound(opened, face, stitched)
    assert [loop for loop in boundary_loops(stitched.merged.faces) if within(stitched.merged, loop)] == []
    assert stitched.n_loops_capped >= 1


def tube(ring: np.ndarray, *, depths: tuple[float, ...], start: int) -> tuple[np.ndarray, np.ndarray]:
    """Points behind a ring of points, one row a depth, and the walls between the rows, numbered from `start`."""
    n = len(ring)
    rows = [start + n * k + np.arange(n) for k in range(len(depths))]
    walls = []
    for upper, lower in zip(rows[:-1], rows[1:], strict=True):
        after_upper, after_lower = np.roll(upper, -1), np.roll(lower, -1)
        walls += [np.stack([after_upper, upper, lower], 1), np.stack([after_upper, lower, after_lower], 1)]
    return np.concatenate([ring - [0, 0, depth] for depth in depths]), np.concatenate(walls)


def test_a_bag_that_is_a_piece_of_its_own_is_closed_as_well(face: Mesh) -> None:
    whole = grid(1.5, half=36, seed=1)
    slit = (np.abs(whole.vertices[:, 1]) < 4) & (np.abs(whole.vertices[:, 0]) < 7)
    scan, _ = whole.submesh(~slit[whole.faces].any(1))
    ring = min(boundary_loops(scan.faces), key=len)
    lids, walls = tube(scan.vertices[ring], depths=(0, 1, 2), start=len(scan.vertices))
    names = np.concatenate([np.arange(len(scan.vertices)), ring, np.arange(len(ring), len(lids)) + len(scan.vertices)])
    skin = Mesh(np.concatenate([scan.vertices, lids]), np.concatenate([scan.faces, names[walls]]))
    skin, _ = skin.submesh(np.ones(len(skin.faces), bool))
    bag, sides = tube(scan.vertices[ring], depths=(2.1, 4, 6), start=len(skin.vertices))
    last = len(skin.vertices) + len(bag) - len(ring) + np.arange(len(ring))
    bottom = np.stack([np.roll(last, -1), last, np.full(len(ring), len(skin.vertices) + len(bag))], 1)
    both = Mesh(
        np.concatenate([skin.vertices, bag, bag[-len(ring) :].mean(0)[None]]),
        np.concatenate([skin.faces, sides, bottom]),
    )
    alone, stitched = stitch(skin, face), stitch(both, face)
    assert_sound(both, face, stitched)
    assert alone.n_loops_filled == 1
    assert stitched.n_loops_filled == 2
    assert len(boundary_loops(stitched.merged.faces)) == len(boundary_loops(alone.merged.faces))


def lid_and_bag(gap: float) -> tuple[Mesh, Mesh]:
    """Skin whose slit goes 5 mm down, alone and with a bag below: their borders lie within `gap`, now one in front."""
    whole = grid(1.5, half=36, seed=1)
    slit = (np.abs(whole.vertices[:, 1]) < 4) & (np.abs(whole.vertices[:, 0]) < 7)
    scan, _ = whole.submesh(~slit[whole.faces].any(1))
    ring = min(boundary_loops(scan.faces), key=len)
    n, first = len(ring), len(scan.vertices)
    lids, walls = tube(scan.vertices[ring], depths=(0, 1, 2, 3, 4, 5), start=first)
    names = np.concatenate([np.arange(first), ring, np.arange(n, len(lids)) + first])
    skin, _ = Mesh(np.concatenate([scan.vertices, lids]), np.concatenate([scan.faces, names[walls]])).submesh(
        np.ones(len(scan.faces) + len(walls), bool)
    )
    bag, sides = tube(scan.vertices[ring], depths=(5, 7, 9, 11), start=len(skin.vertices))
    turn = 2 * np.pi * np.arange(n) / n
    bag[:n] += gap * np.stack([np.cos(5 * turn), np.sin(7 * turn), np.cos(6 * turn)], 1)
    last = len(skin.vertices) + len(bag) - n + np.arange(n)
    bottom = np.stack([np.roll(last, -1), last, np.full(n, len(skin.vertices) + len(bag))], 1)
    points = np.concatenate([skin.vertices, bag, bag[-n:].mean(0)[None]])
    return skin, Mesh(points, np.concatenate([skin.faces, sides, bottom]))


@pytest.mark.parametrize("gap", [0.05, 0.1, 0.3])
def test_boundaries_that_run_along_each_other_behind_the_face_are_zipped(face: Mesh, gap: float) -> None:
    skin, both = lid_and_bag(gap)
    stitched = stitch(both, face)
    assert_sound(both, face, stitched)
    assert stitched.quality.self_intersecting_edges == len(first_intersections(stitched.patch)[0]) == 0
    assert len(boundary_loops(stitched.merged.faces)) == 1
    assert stitched.n_loops_filled == 2
    lid, bag = (
        np.isin(stitched.patch_vertices, part)
        for part in (range(len(skin.vertices)), range(len(skin.vertices), len(both.vertices)))
    )
    assert (lid | bag).all()
    assert (lid[stitched.patch.faces].any(1) & bag[stitched.patch.faces].any(1)).all()


def test_two_sides_of_a_shell_are_not_zipped_at_its_hole(face: Mesh) -> None:
    outer = cut(grid(1.5, half=36, seed=1), disc(0, 0, 9), noise=0.0)
    shell = Mesh(
        np.concatenate([outer.vertices, outer.vertices - [0, 0, 0.6]]),
        np.concatenate([outer.faces, outer.faces[:, ::-1] + len(outer.vertices)]),
    )
    stitched = stitch(shell, face)
    assert len(stitched.patch.faces) > 100
    middle = np.hypot(stitched.patch.vertices[:, 0], stitched.patch.vertices[:, 1]) < 4
    assert middle.sum() > 5


def test_a_patch_that_would_intersect_itself_is_faired(face: Mesh) -> None:
    scan = cut(grid(1.5, half=36, seed=1), disc(0, 0, 11), noise=0.0)
    points = face.vertices.copy()
    near = np.hypot(points[:, 0], points[:, 1]) < 4
    points[near] += np.random.default_rng(0).normal(size=(near.sum(), 3))
    folded = Mesh(points, face.faces, uv=face.uv)
    stitched = stitch(scan, folded)
    assert len(first_intersections(folded)[0]) > 20
    assert_sound(scan, folded, stitched)
    assert stitched.quality.self_intersecting_edges == len(first_intersections(stitched.patch)[0]) == 0
    assert stitched.warnings == ()


def test_a_sheet_in_front_stays_as_it_is(face: Mesh) -> None:
    skin = cut(grid(1.7, half=36, seed=1), disc(-10, 0, 6))
    hair = cut(grid(1.7, half=36, seed=2), lambda p: ~disc(14, 10, 8)(p))
    scan = Mesh(
        np.concatenate([skin.vertices, hair.vertices + [0, 0, 6]]),
        np.concatenate([skin.faces, hair.faces + len(skin.vertices)]),
    )
    alone, both = stitch(skin, face), stitch(scan, face)
    assert_sound(scan, face, both)
    assert len(both.patch.faces) == len(alone.patch.faces)
    assert np.allclose(both.patch.vertices, alone.patch.vertices)


def test_a_scan_that_ends_far_from_the_face_is_not_extended(face: Mesh) -> None:
    near = cut(grid(1.7, half=24, seed=1), lambda p: np.zeros(len(p), bool))
    far = near.with_vertices(near.vertices + [0, 0, 6.0])
    assert len(stitch(near, face).patch.faces) > 500
    assert len(stitch(far, face).patch.faces) == 0


def test_a_folded_rim_is_closed_all_the_same(face: Mesh) -> None:
    scan = cut(grid(1.5, half=36, seed=1), disc(0, 0, 9), noise=0.0)
    ring = min(boundary_loops(scan.faces), key=len)
    points = scan.vertices.copy()
    turn = np.linspace(0, 4 * np.pi, len(ring), endpoint=False)
    points[ring] += 3.0 * np.stack([np.cos(9 * turn), np.sin(7 * turn), 0 * turn], 1)
    scan = Mesh(points, scan.faces)
    stitched = stitch(scan, face)
    assert_sound(scan, face, stitched)
    assert [loop for loop in boundary_loops(stitched.merged.faces) if within(stitched.merged, loop)] == []


def test_a_complete_scan_gets_nothing(face: Mesh) -> None:
    scan = cut(grid(1.7, half=36, seed=1), lambda p: np.zeros(len(p), bool))
    stitched = stitch(scan, face)
    assert len(stitched.patch.faces) == 0
    assert np.array_equal(stitched.merged.faces, scan.faces)
    assert stitched.n_loops_filled == 0


def test_a_closed_scan_without_any_border_gets_nothing(face: Mesh) -> None:
    tetrahedron = Mesh(
        40.0 * np.array([[0, 0, 1], [1, 0, 0], [-1, 1, 0], [-1, -1, 0]]), [[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]]
    )
    assert len(stitch(tetrahedron, face).patch.faces) == 0


def test_colours_are_continued_in_the_patch(face: Mesh) -> None:
    plain = cut(grid(1.7, half=36, seed=1), disc(0, 0, 9))
    shade = 0.5 + plain.vertices / 200
    scan = Mesh(plain.vertices, plain.faces, colors=shade)
    stitched = stitch(scan, face)
    colors = stitched.merged.colors
    assert colors is not None
    assert np.array_equal(colors[: len(shade)], shade)
    assert np.abs(colors[len(shade) :, 0] - 0.5).max() < 0.08


def test_a_given_coverage_replaces_the_measured_one(face: Mesh) -> None:
    scan = cut(grid(1.7, half=36, seed=1), disc(0, 0, 9))
    coverage = ~disc(0, 0, 9)(face.vertices)
    assert stitch(scan, face, coverage=coverage).n_loops_filled == 1


def test_the_same_input_gives_the_same_bytes(face: Mesh) -> None:
    scan = cut(grid(1.7, half=36, seed=1), disc(3, -2, 11))
    first, second = stitch(scan, face).merged, stitch(scan, face).merged
    assert first.vertices.tobytes() == second.vertices.tobytes()
    assert first.faces.tobytes() == second.faces.tobytes()


def test_a_mirrored_plane_changes_nothing(face: Mesh) -> None:
    scan = cut(grid(1.7, half=36, seed=1), disc(3, -2, 11))
    mirrored = Mesh(face.vertices, face.faces, uv=face.uv * [-1, 1])
    stitched = stitch(scan, mirrored)
    assert_sound(scan, mirrored, stitched)
    assert len(boundary_loops(stitched.merged.faces)) == 1


def test_a_longer_falloff_blends_the_offset_farther(face: Mesh) -> None:
    whole = grid(1.2, half=36, seed=1)
    scan = cut(whole.with_vertices(whole.vertices + [0, 0, 0.4]), disc(0, 0, 14), noise=0.0)
    mean = []
    for falloff in (2.0, 8.0):
        stitched = stitch(scan, face, settings=StitchSettings(falloff_mm=falloff))
        mean.append(Surface(face).closest(stitched.merged.vertices[len(scan.vertices) :]).distance.mean())
    assert mean[0] < 0.7 * mean[1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: Mesh(m.vertices, m.faces), "uv"),
        (lambda m: Mesh(m.vertices, m.faces[~np.isin(m.faces, 900).any(1)], uv=m.uv), "disc"),
    ],
)
def test_a_face_that_is_no_mapped_disc_is_refused(face: Mesh, change: Callable[[Mesh], Mesh], message: str) -> None:
    scan = cut(grid(1.7, half=36, seed=1), disc(0, 0, 9))
    with pytest.raises(ValueError, match=message):
        stitch(scan, change(face))


def test_a_scan_without_triangles_is_refused(face: Mesh) -> None:
    with pytest.raises(ValueError, match="no triangles"):
        stitch(Mesh(np.zeros((4, 3)), np.zeros((0, 3), int)), face)


def test_the_border_of_a_patch_is_where_the_scan_ends(face: Mesh) -> None:
    scan = cut(grid(1.7, half=36, seed=1), disc(0, 0, 9))
    stitched = stitch(scan, face)
    rim = {(a, b) for a, b in boundary_edges(stitched.merged.faces[len(scan.faces) :]).tolist()}
    assert rim <= {(b, a) for a, b in boundary_edges(scan.faces).tolist()}


def test_only_a_surface_near_by_covers_the_face(sheet) -> None:
    template = sheet(12, 12, seed=3)
    for height, expected in ((0.5, 1.0), (29.0, 1.0), (45.0, 0.0)):
        scan = Mesh(3.0 * template.vertices - [10, 10, -height], template.faces)
        coverage = measure_coverage(scan, template, boundary=boundary_edges(scan.faces))
        assert (
            coverage[np.abs(template.vertices[:, :2] - template.vertices[:, :2].mean(0)).max(1) < 3].mean() == expected
        )
