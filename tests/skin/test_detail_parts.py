"""The parts of the skin-detail stage: charts, bands, noise, refinement, folds, energies, holes, generic skin."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from facecom.geometry.closest_points import Surface
from facecom.geometry.enclosed_holes import enclosed_holes
from facecom.geometry.intersections import first_intersections
from facecom.geometry.mesh import Mesh, edge_lengths, face_areas, unique_edges
from facecom.skin import band_power, fine_patch, noise_bands, quilting, relief, safe_displacement, synthetic_skin


def grid(half: float, step: float) -> tuple[np.ndarray, np.ndarray]:
    at = np.linspace(-half, half, int(round(2 * half / step)) + 1)
    x, y = np.meshgrid(at, at)
    corner = np.arange(x.size).reshape(x.shape)
    a, b, c, d = corner[:-1, :-1].ravel(), corner[:-1, 1:].ravel(), corner[1:, 1:].ravel(), corner[1:, :-1].ravel()
    return np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], 1), np.concatenate(
        [np.stack([a, b, c], 1), np.stack([a, c, d], 1)]
    )


def charts_of(vertices: np.ndarray, faces: np.ndarray, **options) -> relief.HeightPatches:
    surface = Surface(Mesh(vertices, faces))
    flags = np.array(options.pop("mirrored", [False]))
    up = np.tile([0.0, 0.0, 1.0], (len(flags), 1))
    return relief.sample_height_patches(surface, np.zeros((len(flags), 3)), up, mirrored=flags, **options)


@pytest.mark.parametrize(("wavelength", "band"), [(0.45, 0), (0.85, 1), (1.7, 2), (3.3, 3)])
def test_a_wave_is_strongest_in_its_own_band(wavelength, band):
    vertices, faces = grid(9.0, 0.1)
    vertices[:, 2] = 0.01 * np.sin(2 * np.pi / wavelength * vertices[:, 0]) + 0.1 * vertices[:, 1]
    charts = charts_of(vertices, faces)
    assert charts.energy[0, :, 48, 48].argmax() == band


def test_bands_add_up_to_the_relief():
    image = np.random.default_rng(0).normal(size=(2, 60, 60)).astype(np.float32)
    weight = np.ones_like(image)
    bands = relief.split_bands(image, weight, pixel_mm=0.125, longest_mm=4.5)
    low = relief.even_blur(image, weight, relief.even_width(4.5) / 0.125)
    assert np.allclose(bands.sum(1), image - low, atol=1e-5)


def test_a_tilted_bent_sheet_has_no_relief():
    vertices, faces = grid(9.0, 0.3)
    vertices[:, 2] = 0.2 * vertices[:, 0] + vertices[:, 1] ** 2 / 60
    assert np.abs(charts_of(vertices, faces).bands.sum(1)).max() < 0.004


def test_no_curvature_is_taken_for_relief():
    vertices, faces = grid(9.0, 0.3)
    # a bowl of 10 mm, as the tip of a nose
    height = (vertices[:, :2] ** 2).sum(1).reshape(61, 61)[None].astype(np.float32) / 20
    bands = relief.split_bands(height, np.ones_like(height), pixel_mm=0.3, longest_mm=4.5)
    assert np.abs(bands[..., 20:-20, 20:-20]).max() < 0.002
    plain = height - relief.masked_blur(height, np.ones_like(height), relief.gaussian_width(4.5) / 0.3)
    assert np.abs(plain[..., 20:-20, 20:-20]).max() > 0.05


def test_steps_and_gaps_are_not_skin():
    vertices, faces = grid(9.0, 0.2)
    stepped = vertices + np.c_[0 * vertices[:, :2], 1.5 * (vertices[:, 0] > 2)]
    assert not charts_of(stepped, faces).valid[0, :, 62:66].any()
    hole = np.linalg.norm(vertices[:, :2], axis=1) < 1.0
    charts = charts_of(vertices, faces[~hole[faces].any(1)])
    assert not charts.valid[0, 48, 48] and charts.valid[0, 48, 80]


def test_a_mirrored_chart_is_the_chart_turned_over():
    vertices, faces = grid(9.0, 0.15)
    rough = gaussian_filter(np.random.default_rng(1).normal(size=(121, 121)), 2).ravel()
    vertices[:, 2] = 0.05 * rough
    charts = charts_of(vertices, faces, mirrored=[False, True])
    assert np.array_equal(charts.bands[0][..., ::-1], charts.bands[1])
    assert np.array_equal(charts.points[0][:, ::-1], charts.points[1])


def test_splitting_long_edges_keeps_the_surface_closed_and_its_area():
    vertices, faces = grid(2.0, 0.5)
    vertices = vertices * [1.0, 1.0 + 0.5 * (vertices[0, 1] > 0), 1.0]
    vertices[:, 0] *= 1 + 0.3 * (vertices[:, 0] > 0)
    finer, parents = fine_patch.split_long_edges(faces, vertices, 0.55)
    mesh = Mesh(np.concatenate([vertices, vertices[parents].mean(1)]), finer)
    _, _, before = unique_edges(faces)
    _, _, after = unique_edges(finer)
    assert after.max() == 2
    assert face_areas(mesh).sum() == pytest.approx(face_areas(Mesh(vertices, faces)).sum())
    assert face_areas(mesh).min() > 0
    assert (before == 1).sum() < (after == 1).sum()
    assert len(np.unique(finer)) == len(mesh.vertices)


def patch_of_bowl(edge: float = 0.25) -> tuple[Mesh, fine_patch.FinePatch]:
    vertices, faces = grid(8.0, 1.0)
    vertices[:, 2] = (vertices[:, :2] ** 2).sum(1) / 30
    face = Mesh(vertices, faces)
    missing = np.linalg.norm(vertices[:, :2], axis=1) < 2.5
    return face, fine_patch.refine_patch(face, missing, border_mm=3.0, edge_mm=edge, coarse_mm=0.8)


def test_the_patch_is_fine_nested_and_passes_through_the_face():
    face, patch = patch_of_bowl()
    assert edge_lengths(patch.mesh).max() <= 0.25
    old = np.flatnonzero(patch.face_matrix.max(axis=1).toarray().ravel() == 1.0)
    assert np.abs(patch.mesh.vertices[old] - face.vertices[patch.nearest_face[old]]).max() < 0.01
    assert np.allclose(patch.raise_matrix @ np.ones(patch.raise_matrix.shape[1]), 1.0)
    assert np.allclose(patch.mesh.vertices[: len(patch.coarse.vertices)], patch.coarse.vertices)


def test_smooth_heights_meet_the_seen_and_drop_short_waves():
    _, patch = patch_of_bowl()
    x = patch.mesh.vertices[:, 0]
    seen = np.linalg.norm(patch.mesh.vertices[:, :2], axis=1) > 2.0
    slow, fast = 0.1 + 0.02 * x, 0.05 * np.sin(2 * np.pi * x)
    heights = fine_patch.Heights(np.where(seen, slow + fast, 0.0), seen, np.zeros(len(x), int))
    low = fine_patch.smooth_heights(patch, heights, cutoff_mm=4.5, decay_mm=1e3)
    inner = np.linalg.norm(patch.mesh.vertices[:, :2], axis=1) < 3.0
    assert np.abs(low - slow)[inner].max() < 0.02


def test_heights_that_would_fold_are_lowered():
    _, patch = patch_of_bowl()
    spike = np.zeros(len(patch.mesh.vertices))
    spike[np.linalg.norm(patch.mesh.vertices[:, :2], axis=1).argmin()] = 5.0
    mesh, lowered = safe_displacement.displace(patch, spike)
    up = np.einsum(
        "fd,fd->f",
        *(
            np.cross(v[f[:, 1]] - v[f[:, 0]], v[f[:, 2]] - v[f[:, 0]])
            for v, f in ((mesh.vertices, mesh.faces), (patch.mesh.vertices, patch.mesh.faces))
        ),
    )
    assert lowered.any() and (up > 0).all()
    assert not safe_displacement.displace(patch, np.full(len(spike), 0.3))[1].any()


def patch_of_groove() -> tuple[fine_patch.FinePatch, np.ndarray]:
    """A narrow groove along y, and heights that push its two walls through each other."""
    vertices, faces = grid(6.0, 0.5)
    vertices[:, 2] = 3.0 * (1.0 - np.exp(-(vertices[:, 0] ** 2)))
    missing = np.linalg.norm(vertices[:, :2], axis=1) < 2.0
    patch = fine_patch.refine_patch(Mesh(vertices, faces), missing, border_mm=2.0, edge_mm=0.25, coarse_mm=0.8)
    x, y, _ = patch.mesh.vertices.T
    return patch, 1.2 * np.exp(-((np.abs(x) - 1.0) ** 2 + y**2) / 0.5)


@pytest.mark.parametrize("seen_wall", [False, True])
def test_relief_that_would_cross_gives_way_and_seen_skin_that_crosses_is_left_out(seen_wall):
    patch, height = patch_of_groove()
    x, y, _ = patch.mesh.vertices.T
    seen = (x > 0.3) & seen_wall
    plain, _ = safe_displacement.displace(patch, height)
    assert len(first_intersections(plain)[0])
    done = safe_displacement.displace_uncrossed(patch, height, calm=np.zeros(len(height)), seen=seen)
    assert not len(first_intersections(done.mesh)[0]) and done.crossing == 0
    assert (done.dropped > 0) == seen_wall
    far = np.abs(y) > 2.0
    assert np.array_equal(done.mesh.vertices[far], plain.vertices[far])
    moved = np.linalg.norm(done.mesh.vertices - plain.vertices, axis=1) > 1e-9
    assert moved.any() and not (moved & ~done.lowered).any()


def test_a_smooth_face_that_crosses_itself_is_evened_out():
    patch, height = patch_of_groove()
    plain, _ = safe_displacement.displace(patch, height)
    crossed, nothing = replace(patch, mesh=plain), np.zeros(len(height))
    done = safe_displacement.displace_uncrossed(crossed, nothing, calm=nothing, seen=nothing > 0)
    assert len(first_intersections(plain)[0]) and not len(first_intersections(done.mesh)[0])
    far = np.abs(patch.mesh.vertices[:, 1]) > 2.5
    assert np.array_equal(done.mesh.vertices[far], plain.vertices[far])


def test_energies_are_kept_near_the_seen_and_follow_the_other_side():
    vertices, faces = grid(6.0, 0.5)
    mesh, x = Mesh(vertices, faces), vertices[:, :1]
    seen = np.abs(vertices[:, :2]).max(1) > 3.0
    own = np.tile(-9.0 + 0.1 * x, (1, 4))
    no = np.zeros(len(x), bool)
    flat = band_power.target_band_power(mesh, own, seen, other=own, other_seen=no, trust=1.0, range_mm=1e3)
    assert np.abs(flat - own)[seen].max() < 0.2
    bump = own + 1.5 * np.exp(-(vertices[:, :2] ** 2).sum(1) / 4)[:, None]
    led = band_power.target_band_power(mesh, own, seen, other=bump, other_seen=~no, trust=1.0, range_mm=1e3)
    middle = np.linalg.norm(vertices[:, :2], axis=1).argmin()
    assert led[middle, 0] - flat[middle, 0] == pytest.approx(1.5, abs=0.4)
    with pytest.raises(ValueError, match="no relief was measured"):
        band_power.target_band_power(mesh, own, no, other=own, other_seen=no, trust=1.0)


def test_energy_stops_at_the_border_of_a_region():
    vertices, faces = grid(6.0, 0.5)
    mesh, right = Mesh(vertices, faces), vertices[:, 0] > 0
    seen = np.abs(vertices[:, 0]) > 4
    own = np.tile(np.where(right, -8.0, -11.0)[:, None], (1, 4))
    options = {"other": own, "other_seen": ~seen & False, "trust": 0.0, "range_mm": 1e3, "spread": (9.0,) * 4}
    free = band_power.target_band_power(mesh, own, seen, **options)[:, 0]
    held = band_power.target_band_power(mesh, own, seen, region=right.astype(int), **options)[:, 0]
    near = np.abs(vertices[:, 0] - 0.5) < 0.01
    assert (held[near].mean() - -8.0) ** 2 < 0.3 * (free[near].mean() - -8.0) ** 2


def test_white_noise_is_found_and_skin_is_not_called_noise():
    waves = noise_bands.wavelengths(4.5)
    resolved = np.ones(4, bool)
    noise = noise_bands.noise_by_band(0.03, 0.15, waves)
    skin = np.array([4.0, 5.0, 8.0, 9.0]) ** 2 * 1e-6
    assert noise_bands.white_noise(skin, resolved, spacing_mm=0.15, waves=waves) == 0
    assert noise_bands.white_noise(noise + skin, resolved, spacing_mm=0.15, waves=waves) == pytest.approx(0.03, rel=0.1)


def test_noise_by_band_is_what_a_noisy_sheet_shows():
    vertices, faces = grid(9.0, 0.3)
    vertices[:, 2] = np.random.default_rng(0).normal(scale=0.05, size=len(vertices))
    shown = charts_of(vertices, faces).bands.std((0, 2, 3))
    spacing = noise_bands.local_spacing(Mesh(vertices, faces), np.arange(len(faces)))
    expected = np.sqrt(noise_bands.noise_by_band(0.05, spacing, noise_bands.wavelengths(4.5)))
    assert np.abs(20 * np.log10(shown[1:] / expected[1:])).max() < 2.0


def test_a_hole_is_told_from_the_outside():
    vertices, faces = grid(30.0, 1.0)
    away = np.linalg.norm(vertices[:, :2], axis=1)
    measured = (away < 22) & (away > 5)
    holes = enclosed_holes(Mesh(vertices, faces), measured)
    assert np.array_equal(holes, away <= 5)
    assert enclosed_holes(Mesh(vertices, faces), np.zeros_like(measured)).all()


def test_leaning_reaches_the_wanted_skewness_and_leaves_the_measured_alone():
    generator = np.random.default_rng(0)
    points = np.c_[generator.uniform(-5, 5, (4000, 2)), np.zeros(4000)]
    known = points[:, 0] > 0
    values = 0.02 * generator.normal(size=4000)
    target = quilting.QuiltTarget(
        points,
        np.tile([0.0, 0, 1], (4000, 1)),
        known,
        values,
        -points[:, 0],
        np.full((4000, 4), np.log(0.02**2 / 3)),
        np.zeros((4000, 2)),
    )
    change = quilting.skewness_offset(values, target, wanted=-0.3)
    assert not change[known].any()
    made = (values + change)[~known]
    skewness = ((made - made.mean()) ** 3).mean() / made.std() ** 3
    assert skewness == pytest.approx(-0.3, abs=0.1)


def test_generic_skin_is_marked_and_leans_downwards():
    charts = synthetic_skin.synthetic_patches(count=4, longest_mm=4.5, seed=1)
    relief_image = charts.bands.sum(1)
    assert not charts.measured
    assert ((relief_image - relief_image.mean()) ** 3).mean() < 0
    again = synthetic_skin.synthetic_patches(count=4, longest_mm=4.5, seed=1)
    assert np.array_equal(charts.bands, again.bands)


def striped(angle_deg: float, step: float = 0.15) -> tuple[np.ndarray, np.ndarray]:
    """A sheet with waves of 1.5 mm that run at an angle, and some noise."""
    vertices, faces = grid(9.0, step)
    side = int(round(np.sqrt(len(vertices))))
    a = np.radians(angle_deg)
    along = np.cos(a) * vertices[:, 0] + np.sin(a) * vertices[:, 1]
    rough = gaussian_filter(np.random.default_rng(3).normal(size=(side, side)), 2).ravel()
    vertices[:, 2] = 0.02 * np.sin(2 * np.pi / 1.5 * along) + 0.01 * rough
    return vertices, faces


@pytest.mark.parametrize("angle", [0.0, 30.0, 110.0])
def test_direction_is_that_of_the_waves_and_turns_over_with_a_mirrored_chart(angle):
    charts = charts_of(*striped(angle), mirrored=[False, True])
    own, other = charts.direction[0, :, 48, 48], charts.direction[1, :, 48, 48]
    wanted = np.array([np.cos(2 * np.radians(angle)), np.sin(2 * np.radians(angle))])
    assert np.linalg.norm(own) > 0.7 and own @ wanted > 0.98 * np.linalg.norm(own)
    assert np.allclose(other, own * [1, -1], atol=1e-3)


def test_patches_are_turned_to_the_wanted_direction():
    charts = charts_of(*striped(0.0))
    plane, _ = grid(5.0, 0.15)
    for angle in (0.0, 35.0):
        double = 2 * np.radians(angle)
        target = quilting.QuiltTarget(
            points=plane,
            normals=np.tile([0.0, 0, 1], (len(plane), 1)),
            known=np.zeros(len(plane), bool),
            relief=np.zeros(len(plane)),
            depth=5.0 - np.linalg.norm(plane[:, :2], axis=1),
            energy=np.tile(charts.energy.mean((0, 2, 3)), (len(plane), 1)).astype(float),
            direction=np.tile([np.cos(double), np.sin(double)], (len(plane), 1)),
        )
        laid = quilting.quilt(target, charts, settings=quilting.QuiltSettings(), seed=0).bands.sum(1)
        side = int(round(np.sqrt(len(plane))))
        image = laid.reshape(1, side, side).astype(np.float32)
        got = relief.local_direction(image, np.ones_like(image), pixel_mm=0.15, window_mm=2.5)[
            0, :, side // 2, side // 2
        ]
        assert got @ [np.cos(double), np.sin(double)] > 0.9 * np.linalg.norm(got) > 0.3


def test_a_measured_direction_wins_over_the_tension_lines_of_faces_at_large():
    across, up = np.diag([1.0, 0.0, 0.0]), np.array([[0.0, 0.0, 1.0]])
    measured = np.array([[-0.8, 0.0], [0.0, 0.0]])
    got = band_power.with_tension_lines(measured, np.stack([across, across]), np.repeat(up, 2, axis=0), share=0.3)
    assert got[0, 0] < -0.7 and got[1] == pytest.approx([0.3, 0.0])
    none = band_power.with_tension_lines(measured, np.stack([np.eye(3)] * 2), np.repeat(up, 2, axis=0), share=0.3)
    assert np.allclose(none, measured)
