"""Small skins with a piece missing, made here: a rough bump, and a patch over a wavy hole in it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp

from facecom.completion import Completion
from facecom.completion.regions import FINEST_LEVEL, auricle, region_mask
from facecom.geometry.fairing import remove_self_intersections
from facecom.geometry.mesh import Bools, Floats, Mesh
from facecom.geometry.transform import Similarity, rotation_from_vector
from facecom.model.template import Template
from facecom.prosthesis import DesignSettings, Prosthesis, design
from facecom.prosthesis.defect.detection import find_defects, vector_area
from facecom.prosthesis.defect.neighbourhood import Neighbourhood, neighbourhood
from facecom.prosthesis.shell.axis import axis_frame, choose_axis
from facecom.prosthesis.shell.margin import cut_margin, smooth_border_surface
from facecom.prosthesis.shell.margin_outline import ShellSurfaces, lift_off_skin
from facecom.prosthesis.shell.outer_surface import OuterSurface
from facecom.prosthesis.shell.shell import Shell, build_shell
from facecom.prosthesis.shell.thickness import Thickness
from facecom.prosthesis.shell.tissue import tissue_mesh
from facecom.provenance import Provenance

THICKNESS = Thickness(edge=0.3, lip=0.6, wall=3.0, clearance=0.1, margin=5.0, blend=5.0)


@dataclass(frozen=True)
class Skin:
    """merged, in_patch: as `find_defects` takes them; height: the surface as a function of (N, 2) places."""

    merged: Mesh
    in_patch: np.ndarray
    height: Callable[[Floats], Floats]


@dataclass(frozen=True)
class Built:
    skin: Skin
    outer: OuterSurface
    shell: Shell
    rotation: Floats


def make_skin(
    seed: int,
    *,
    spacing: float = 2.0,
    half: float = 26.0,
    radius: float = 11.0,
    place: tuple[float, float] = (0.0, 0.0),
) -> Skin:
    """A rough bump that lacks a wavy disc of about a radius around a place, mm."""
    rng = np.random.default_rng(seed)
    tilt, bend = rng.uniform(-0.2, 0.2, 2), rng.uniform(0.002, 0.008, 2)
    tip, width, centre = rng.uniform(3, 12), rng.uniform(6, 9), rng.uniform(-2, 2, 2)
    phase, waves = rng.uniform(0, 6, 2), rng.integers(2, 5)

    def height(places: Floats) -> Floats:
        x, y = places.T
        bump = tip * np.exp(-(((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * width**2)))
        ripple = 0.15 * np.sin(0.9 * x + phase[0]) * np.sin(0.8 * y + phase[1])
        return tilt[0] * x + tilt[1] * y - bend[0] * x**2 - bend[1] * y**2 + bump + ripple

    count = round(2 * half / spacing) + 1
    y, x = np.mgrid[:count, :count] * spacing - half
    places = np.stack([x.ravel(), y.ravel()], axis=1)
    inner = (np.abs(places) < half - 0.1).all(1)
    places[inner] += rng.uniform(-0.25, 0.25, (int(inner.sum()), 2)) * spacing
    index = np.arange(count * count).reshape(count, count)
    a, b, c, d = index[:-1, :-1].ravel(), index[:-1, 1:].ravel(), index[1:, 1:].ravel(), index[1:, :-1].ravel()
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    middle = places[faces].mean(1) - place
    angle = np.arctan2(middle[:, 1], middle[:, 0])
    in_patch = np.hypot(*middle.T) < radius * (1 + 0.15 * np.sin(waves * angle))
    return Skin(Mesh(np.column_stack([places, height(places)]), faces), in_patch, height)


def build(
    skin: Skin,
    *,
    axis="auto",
    bed: Mesh | None = None,
    raw_tissue: Mesh | None = None,
    grid_mm: float = 0.8,
    thickness=THICKNESS,
) -> Built:
    defect = find_defects(skin.merged, skin.in_patch, margin_mm=thickness.margin, least_mm2=100.0)[0]
    outward = vector_area(skin.merged, defect.faces)
    near = neighbourhood(skin.merged, defect, margin_mm=thickness.margin)
    surface, wide, own = smooth_border_surface(cut_margin(near, towards=outward))
    lifted, _ = remove_self_intersections(lift_off_skin(wide, thickness))
    outer = replace(surface, mesh=surface.mesh.with_vertices(own @ lifted.vertices))
    seat, _ = surface.mesh.submesh((surface.defect_distance[surface.mesh.faces] <= 1e-9).all(1))
    rotation = axis_frame(choose_axis(outer.mesh, seat, outward, given=axis, count=12))
    surfaces = ShellSurfaces(outer, replace(wide, mesh=lifted), tissue_mesh(wide, bed, thickness.clearance))
    shell = build_shell(
        surfaces, thickness=thickness, rotation=rotation, grid_mm=grid_mm, bed=bed, raw_tissue=raw_tissue
    )
    return Built(skin, outer, shell, rotation)


def grid_disc(u, v, place) -> Mesh:
    """A disc: a grid of (u, v) laid out by a function."""
    a, b = (k.ravel() for k in np.meshgrid(u, v, indexing="ij"))
    k = np.arange(len(a)).reshape(len(u), len(v))
    p, q, r, s = k[:-1, :-1].ravel(), k[1:, :-1].ravel(), k[1:, 1:].ravel(), k[:-1, 1:].ravel()
    return Mesh(np.stack(place(a, b), 1), np.concatenate([np.stack([p, q, r], 1), np.stack([p, r, s], 1)]))


def plate(half: float = 8.0, step: float = 1.0, *, z: float = 0.0, height=None) -> Mesh:
    """A square plate, level or over a height field."""
    ticks = np.arange(-half, half + 0.5 * step, step)
    depth = (lambda x, y: np.full_like(x, z)) if height is None else height
    return grid_disc(ticks, ticks, lambda x, y: (x, y, depth(x, y)))


def neighbourhood_of(mesh: Mesh, in_defect: Bools, *, cavity_surface: Mesh | None = None) -> Neighbourhood:
    """A mesh that is its own neighbourhood."""
    return Neighbourhood(mesh, in_defect, sp.identity(len(mesh.vertices), format="csr"), 5.0, 3.0, cavity_surface)


def jaggedness(points: Floats) -> float:
    """Largest distance of a closed line from itself smoothed over 2.4 mm, mm."""
    step = np.linalg.norm(np.roll(points, -1, axis=0) - points, axis=1)
    path = np.concatenate([[0.0], np.cumsum(step)])
    at = np.linspace(0.0, path[-1], int(path[-1] / 0.1), endpoint=False)
    even = np.stack([np.interp(at, path, np.append(points[:, k], points[0, k])) for k in range(3)], axis=1)
    smooth = np.mean([np.roll(even, k, axis=0) for k in range(-12, 13)], axis=0)
    return float(np.linalg.norm(even - smooth, axis=1).max())


@dataclass(frozen=True)
class Workshop:
    """What the tests of this folder make their parts with."""

    thickness: Thickness = THICKNESS
    skin: Callable[..., Skin] = make_skin
    build: Callable[..., Built] = build
    grid_disc: Callable[..., Mesh] = grid_disc
    plate: Callable[..., Mesh] = plate
    neighbourhood_of: Callable[..., Neighbourhood] = neighbourhood_of
    jaggedness: Callable[[Floats], float] = jaggedness


@pytest.fixture(scope="session")
def workshop() -> Workshop:
    return Workshop()


@pytest.fixture(scope="session")
def built() -> Built:
    return build(make_skin(0))


@pytest.fixture(scope="session")
def template() -> Template:
    return Template.load()


@pytest.fixture(scope="session")
def completion_of(template: Template) -> Callable[..., Completion]:
    """A completed face without a fit: a face of which a region is the patch, and what the scan may show there."""

    def make(mask: Bools, face: Floats | None = None, *, scanned: Mesh | None = None) -> SimpleNamespace:
        points = template.vertices if face is None else face
        gone = mask[template.faces[FINEST_LEVEL]].any(1)
        scan_faces, patch_faces = template.faces[FINEST_LEVEL][~gone], template.faces[FINEST_LEVEL][gone]
        lost = np.setdiff1d(np.unique(patch_faces), np.unique(scan_faces))
        kept = np.setdiff1d(np.arange(len(points)), lost)
        order = np.concatenate([kept, lost])
        new = np.empty(len(order), int)
        new[order] = np.arange(len(order))
        merged = Mesh(points[order], new[np.concatenate([scan_faces, patch_faces])])
        weights = sp.csr_matrix((np.ones(len(lost)), (np.arange(len(lost)), lost)), (len(lost), len(points)))
        pose = Similarity(rotation_from_vector([0.1, 0.4, -0.2]), np.array([10.0, -20.0, 300.0]))
        provenance = np.zeros(len(points), int)
        provenance[lost] = Provenance.MODEL
        scan = scanned or Mesh(points[kept], new[scan_faces])
        scan = scan.with_vertices(pose.inverse().apply(scan.vertices))
        nothing = Mesh(np.zeros((0, 3)), np.zeros((0, 3), int))
        state = SimpleNamespace(
            detail=None,
            template=template,
            stitched=SimpleNamespace(merged=merged, weights=weights),
            scan=SimpleNamespace(
                mesh=scan,
                mm=SimpleNamespace(mesh=scan),
                mm_per_unit=1.0,
                mm_per_unit_sigma=None,
                defect=nothing,
                defect_mm=nothing,
            ),
            projection=SimpleNamespace(vertices=points, observed=provenance == 0),
            model=SimpleNamespace(template=template),
            fit=SimpleNamespace(pose=pose),
        )
        back = pose.inverse()
        return Completion(
            face=Mesh(back.apply(points), template.faces[FINEST_LEVEL]),
            merged=merged.with_vertices(back.apply(merged.vertices)),
            patch=Mesh(np.zeros((0, 3)), np.zeros((0, 3), int)),
            provenance=provenance,
            sigma_mm=np.where(provenance > 0, 0.8, 0.1),
            merged_provenance=provenance[order],
            merged_sigma_mm=np.where(provenance[order] > 0, 0.8, 0.1),
            pose=pose,
            report=SimpleNamespace(defect_mm2={}),
            state=state,
        )

    return make


@pytest.fixture(scope="session")
def left_ear(template: Template) -> Bools:
    return auricle(template, "l_ear")


@pytest.fixture(scope="session")
def part(template: Template, completion_of: Callable[..., Completion]) -> Prosthesis:
    """A nose on a coarse grid."""
    return design(completion_of(region_mask(template, "nose")), settings=DesignSettings(axis="front", grid_mm=1.2))
