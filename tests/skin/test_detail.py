"""Skin detail on a bent sheet of known texture: what is made is like what was cut away, and harms nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.interpolate import LinearNDInterpolator
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from facecom.geometry.intersections import first_intersections
from facecom.geometry.mesh import Mesh, face_normals, vertex_normals
from facecom.provenance import Provenance
from facecom.skin.band_filters import local_direction
from facecom.skin.detail import Detail, DetailSettings, add_detail

pytestmark = pytest.mark.slow
HALF, RADIUS, BEND = 12.0, 4.5, 45.0
SETTINGS = DetailSettings(border_mm=3.0, edge_mm=0.17, smallest_mm2=10.0)


def sheet(step: float) -> tuple[np.ndarray, np.ndarray]:
    """Plane coordinates (V, 2) and faces of a square grid."""
    at = np.linspace(-HALF, HALF, int(round(2 * HALF / step)) + 1)
    x, y = np.meshgrid(at, at)
    corner = np.arange(x.size).reshape(x.shape)
    a, b, c, d = corner[:-1, :-1].ravel(), corner[:-1, 1:].ravel(), corner[1:, 1:].ravel(), corner[1:, :-1].ravel()
    return np.stack([x.ravel(), y.ravel()], 1), np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])


def bent(plane: np.ndarray, height: np.ndarray | float = 0.0) -> np.ndarray:
    """Plane coordinates rolled onto a cylinder, lifted by `height` along its normal."""
    angle = plane[:, 0] / BEND
    return np.stack([(BEND + height) * np.sin(angle), plane[:, 1], (BEND + height) * np.cos(angle) - BEND], 1)


def skin(plane: np.ndarray) -> np.ndarray:
    """Pits of several widths, mm, with negative skewness."""
    side = int(round(np.sqrt(len(plane))))
    noise = np.random.default_rng(7).normal(size=(3, side, side))
    pixel = 2 * HALF / (side - 1)
    parts = [gaussian_filter(n, w / pixel, mode="wrap") for n, w in zip(noise, (0.12, 0.2, 0.4), strict=True)]
    image = sum(p / p.std() * a for p, a in zip(parts, (0.5, 0.8, 1.0), strict=True))
    return 0.015 * (image - 0.1 * (image**2 - image.var())).ravel()


@pytest.fixture(scope="module")
def world() -> dict[str, np.ndarray | Mesh]:
    """A fine scan with a round hole, the truth under it, and the smooth coarse face."""
    fine, faces = sheet(0.15)
    gone = np.linalg.norm(fine, axis=1) < RADIUS
    truth = Mesh(bent(fine, skin(fine)), faces)
    coarse, coarse_faces = sheet(1.0)
    uv = (coarse + HALF) / (2 * HALF)
    return {
        "truth": truth,
        "scan": truth.submesh(~gone[faces].any(1))[0],
        "face": Mesh(bent(coarse), coarse_faces, uv=uv),
        "observed": np.linalg.norm(coarse, axis=1) > RADIUS - 0.01,
        "plane": coarse,
    }


@pytest.fixture(scope="module")
def made(world) -> Detail:
    return add_detail(world["scan"], world["face"], observed=world["observed"], settings=SETTINGS, seed=3)


def unrolled(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Plane coordinates and height over the cylinder of 3-D points."""
    lifted = points[:, 2] + BEND
    angle = np.arctan2(points[:, 0], lifted)
    return np.stack([angle * BEND, points[:, 1]], 1), np.hypot(points[:, 0], lifted) - BEND


def image_of(mesh: Mesh, half: float, centre: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """Height image at 0.1 mm of a square of a bent mesh."""
    plane, height = unrolled(mesh.vertices)
    plane = plane - centre
    near = (np.abs(plane) < half + 1).all(1)
    at = np.arange(-half, half, 0.1)
    return LinearNDInterpolator(plane[near], height[near])(*np.meshgrid(at, at))


def band_power(image: np.ndarray) -> np.ndarray:
    """Mean square of three differences of Gaussians, away from the image's margin."""
    levels = [gaussian_filter(image, w) for w in (0.8, 1.6, 3.2, 6.4)]
    return np.array([(a - b)[12:-12, 12:-12].var() for a, b in zip(levels[:-1], levels[1:], strict=True)])


@pytest.fixture(scope="module")
def texture_power(world) -> np.ndarray:
    """Band power of the whole texture."""
    return band_power(image_of(world["truth"], HALF - 2.0))


def test_statistics_are_those_of_the_texture(texture_power, made):
    own = image_of(made.mesh, 4.0)
    decibel = 10 * np.log10(band_power(own) / texture_power)
    assert np.abs(decibel).max() < 2.5
    rough = own - gaussian_filter(own, 10)
    assert ((rough - rough.mean()) ** 3).mean() < 0


def test_the_longest_band_is_raised_alone_by_its_share_only(world):
    def power(share: float) -> np.ndarray:
        settings = replace(SETTINGS, longest_band_share=share)
        own = add_detail(world["scan"], world["face"], observed=world["observed"], settings=settings, seed=3)
        return band_power(image_of(own.mesh, 4.0))

    # the patches of this draw are weaker than wanted in the longest band, and more so than in the next
    decibel = 10 * np.log10(power(1.0) / power(0.0))
    assert decibel[2] > 0.2
    assert abs(decibel[0]) < 0.1


def test_a_smooth_face_alone_would_fail_the_statistics(texture_power, made):
    decibel = 10 * np.log10(band_power(image_of(made.smooth, 4.0)) / texture_power)
    assert decibel.max() < -10


def test_nothing_is_added_below_the_band(made):
    plane, _ = unrolled(made.smooth.vertices)
    added = made.displacement - made.base_offset
    inner = np.linalg.norm(plane, axis=1) < RADIUS - 1
    near = cKDTree(plane).query_ball_point(plane[inner][::50], 2.5)
    weights = [np.exp(-0.5 * ((plane[n] - c) ** 2).sum(1)) for n, c in zip(near, plane[inner][::50], strict=True)]
    low = [np.average(added[n], weights=w) for n, w in zip(near, weights, strict=True)]
    assert np.abs(low).max() < 0.02


def test_observed_skin_is_kept_exactly(world, made):
    from facecom.geometry.closest_points import Surface

    kept = made.mesh.vertices[made.provenance == Provenance.OBSERVED]
    assert Surface(world["scan"]).closest(kept).distance.max() < 1e-4


def test_no_triangle_folds_or_cuts_another(made):
    import open3d as o3d

    assert (np.einsum("fd,fd->f", face_normals(made.mesh), face_normals(made.smooth)) > 0.15).all()
    assert not made.warnings
    assert not len(first_intersections(made.mesh)[0])
    plane, _ = unrolled(made.mesh.vertices)
    part, _ = made.mesh.submesh((np.abs(plane[made.mesh.faces]).max((1, 2))) < 1.2)
    mesh = o3d.geometry.TriangleMesh(
        o3d.utility.Vector3dVector(part.vertices.copy()), o3d.utility.Vector3iVector(part.faces.copy())
    )
    assert not mesh.is_self_intersecting()


def test_skin_that_intersects_itself_is_found(made):
    plane, _ = unrolled(made.mesh.vertices)
    # a flap of the mesh pushed through what lies beside it
    flap = np.linalg.norm(plane - [1.0, 0.0], axis=1) < 0.6
    pushed = made.mesh.vertices + flap[:, None] * [0.9, 0.0, -0.05]
    assert len(first_intersections(made.mesh.with_vertices(pushed))[0])


def test_value_and_slope_go_on_over_the_rim(made):
    plane, _ = unrolled(made.smooth.vertices)
    edges = np.concatenate([made.mesh.faces[:, [0, 1]], made.mesh.faces[:, [1, 2]]])
    known = made.provenance == Provenance.OBSERVED
    across = edges[known[edges[:, 0]] != known[edges[:, 1]]]
    inner = edges[known[edges].all(1)]

    def step(pairs: np.ndarray) -> float:
        rise = made.displacement[pairs[:, 0]] - made.displacement[pairs[:, 1]]
        return float(
            np.sqrt((rise**2).mean() / (np.linalg.norm(plane[pairs[:, 0]] - plane[pairs[:, 1]], axis=1) ** 2).mean())
        )

    assert step(across) < 1.6 * step(inner)
    normals = vertex_normals(made.mesh.vertices, made.mesh.faces)

    def turn(pairs: np.ndarray) -> float:
        cosine = np.einsum("ed,ed->e", normals[pairs[:, 0]], normals[pairs[:, 1]])
        return float(np.degrees(np.median(np.arccos(np.clip(cosine, -1, 1)))))

    assert turn(across) < turn(inner) + 3.0


def test_relief_is_as_strong_inside_the_rim_as_outside(made):
    plane, _ = unrolled(made.mesh.vertices)
    away = np.linalg.norm(plane, axis=1)
    ring = (away > RADIUS - 1.5) & (away < RADIUS) & (made.provenance == Provenance.SYNTHESISED)
    own, known = made.displacement[ring] - made.base_offset[ring], made.provenance == Provenance.OBSERVED
    beside = known & (away < RADIUS + 1.5)
    assert abs(20 * np.log10(own.std() / (made.displacement - made.base_offset)[beside].std())) < 2.5


def test_same_seed_same_vertices_other_seed_other_skin(world, made):
    again = add_detail(world["scan"], world["face"], observed=world["observed"], settings=SETTINGS, seed=3)
    other = add_detail(world["scan"], world["face"], observed=world["observed"], settings=SETTINGS, seed=4)
    assert np.array_equal(again.mesh.vertices, made.mesh.vertices)
    hole = made.provenance != Provenance.OBSERVED
    assert np.abs(other.displacement - made.displacement)[hole].std() > 0.005
    assert np.allclose(other.mesh.vertices[~hole], made.mesh.vertices[~hole])


def test_the_opposite_side_is_used_and_named(world):
    side = int(np.sqrt(len(world["plane"])))
    mirror = np.arange(len(world["plane"])).reshape(side, side)[:, ::-1].ravel()
    centre = np.array([5.0, 0.0])
    fine, faces = sheet(0.15)
    gone = np.linalg.norm(fine - centre, axis=1) < 3.0
    scan = world["truth"].submesh(~gone[faces].any(1))[0]
    observed = np.linalg.norm(world["plane"] - centre, axis=1) > 3.0
    detail = add_detail(scan, world["face"], observed=observed, mirror=mirror, settings=SETTINGS)
    assert (detail.provenance == Provenance.MIRRORED).any()
    assert not detail.synthetic and not (detail.provenance == Provenance.MODEL).any()


def test_a_coarse_scan_gets_nothing_and_a_sentence(world):
    coarse, faces = sheet(2.0)
    gone = np.linalg.norm(coarse, axis=1) < RADIUS
    scan = Mesh(bent(coarse, skin(coarse)), faces[~gone[faces].any(1)])
    with pytest.raises(ValueError, match=r"spacing is 2.15 mm and relief needs \d\.\d\d mm"):
        add_detail(scan, world["face"], observed=world["observed"], settings=replace(SETTINGS, max_wavelength_mm=3.5))
    synthetic = add_detail(
        scan, world["face"], observed=world["observed"], settings=replace(SETTINGS, mode="synthetic")
    )
    assert synthetic.synthetic
    hole = synthetic.provenance != Provenance.OBSERVED
    assert (synthetic.provenance[hole] == Provenance.SYNTHESISED).all()
    assert (synthetic.displacement - synthetic.base_offset)[hole].std() > 0.005


def test_noise_is_not_taken_for_skin(world):
    fine, faces = sheet(0.3)
    gone = np.linalg.norm(fine, axis=1) < RADIUS
    noise = np.random.default_rng(0).normal(scale=0.05, size=len(fine))
    scan = Mesh(bent(fine, noise), faces[~gone[faces].any(1)])
    with pytest.raises(ValueError, match=r"its noise (3|4|5|6)\d µm"):
        add_detail(scan, world["face"], observed=world["observed"], settings=SETTINGS)


def test_too_large_a_part_stays_smooth_and_says_so(world):
    small = replace(SETTINGS, largest_mm2=10.0)
    with pytest.raises(ValueError, match="mm² of skin are missing"):
        add_detail(world["scan"], world["face"], observed=world["observed"], settings=small)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"observed": np.ones(3, bool)}, "observed has shape"),
        ({"settings": DetailSettings(mode="made up")}, "mode must be one of own, synthetic"),
        ({"observed": np.ones(25**2, bool)}, "no missing part"),
    ],
)
def test_wrong_use_is_refused(world, change, words):
    with pytest.raises(ValueError, match=words):
        add_detail(world["scan"], world["face"], **({"observed": world["observed"]} | change))


@pytest.mark.parametrize("angle", [0.0, 60.0])
def test_wrinkles_that_cross_the_rim_go_on(angle):
    fine, faces = sheet(0.15)
    gone = np.linalg.norm(fine, axis=1) < RADIUS
    a = np.radians(angle)
    along = np.cos(a) * fine[:, 0] + np.sin(a) * fine[:, 1]
    wrinkled = Mesh(bent(fine, 0.5 * skin(fine) + 0.02 * np.sin(2 * np.pi / 1.8 * along)), faces)
    coarse, coarse_faces = sheet(1.0)
    observed = np.linalg.norm(coarse, axis=1) > RADIUS - 0.01
    # faces at large would wrinkle the other way: what was measured wins
    against = np.array([np.cos(a + np.pi / 2), np.sin(a + np.pi / 2), 0.0])
    made = add_detail(
        wrinkled.submesh(~gone[faces].any(1))[0],
        Mesh(bent(coarse), coarse_faces),
        observed=observed,
        compression=np.tile(np.outer(against, against), (len(coarse), 1, 1)),
        settings=SETTINGS,
        seed=3,
    )
    image = image_of(made.mesh, 3.0)[None].astype(np.float32)
    image -= gaussian_filter(image[0], 15)[None]
    got = local_direction(image, np.ones_like(image), pixel_mm=0.1, window_mm=1.2)[0, :, 30, 30]
    true = np.array([np.cos(2 * a), np.sin(2 * a)])
    assert got @ true > 0.9 * np.linalg.norm(got) > 0.3
