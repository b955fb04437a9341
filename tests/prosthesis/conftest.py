"""Small skins with a piece missing, made here: a rough bump, and a patch over a wavy hole in it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp

from facecom.completion import Completion
from facecom.geometry.fairing import remove_self_intersections
from facecom.geometry.mesh import Bools, Floats, Mesh
from facecom.geometry.transform import Similarity, rotation_from_vector
from facecom.model.template import Template
from facecom.prosthesis.defect.neighbourhood import neighbourhood
from facecom.prosthesis.shell.axis import axis_frame, choose_axis
from facecom.prosthesis.shell.margin import drawn_sheet, margin_around
from facecom.prosthesis.shell.outer import outer_face
from facecom.prosthesis.shell.outer_surface import OuterSurface, find_defects, vector_area
from facecom.prosthesis.shell.shell import Shell, build_shell
from facecom.prosthesis.shell.thickness import Thickness
from facecom.prosthesis.shell.tissue import tissue_mesh

THICKNESS = Thickness(edge=0.3, lip=0.6, wall=3.0, clearance=0.1, margin=5.0, blend=5.0)


@dataclass(frozen=True)
class Skin:
    """merged, made: as `find_defects` takes them; height: the surface as a function of (N, 2) places."""

    merged: Mesh
    made: np.ndarray
    height: Callable[[Floats], Floats]


@dataclass(frozen=True)
class Built:
    skin: Skin
    outer: OuterSurface
    shell: Shell
    turn: Floats


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
    turn = np.arctan2(middle[:, 1], middle[:, 0])
    made = np.hypot(*middle.T) < radius * (1 + 0.15 * np.sin(waves * turn))
    return Skin(Mesh(np.column_stack([places, height(places)]), faces), made, height)


def build(skin: Skin, *, axis="auto", bed: Mesh | None = None, grid_mm: float = 0.8, thickness=THICKNESS) -> Built:
    defect = find_defects(skin.merged, skin.made, margin_mm=thickness.margin, least_mm2=100.0)[0]
    looks = vector_area(skin.merged, defect.faces)
    near = neighbourhood(skin.merged, defect, margin_mm=thickness.margin)
    sheet, wide, own = drawn_sheet(margin_around(near, towards=looks))
    around, _ = remove_self_intersections(outer_face(wide, thickness))
    outer = replace(sheet, mesh=sheet.mesh.with_vertices(own @ around.vertices))
    seat, _ = sheet.mesh.submesh((sheet.inward[sheet.mesh.faces] <= 1e-9).all(1))
    direction = choose_axis(outer.mesh, seat, looks, given=axis, count=12)
    turn = axis_frame(direction)
    tissue = tissue_mesh(wide, bed, thickness.clearance)
    beyond = replace(wide, mesh=around)
    return Built(
        skin, outer, build_shell(outer, beyond, tissue, thickness=thickness, turn=turn, grid_mm=grid_mm, bed=bed), turn
    )


@dataclass(frozen=True)
class Workshop:
    """What the tests of this folder make their parts with."""

    thickness: Thickness = THICKNESS
    skin: Callable[..., Skin] = make_skin
    build: Callable[..., Built] = build


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
    """A completed face without a fit: a face of which a region counts as made, and what the scan may show there."""

    def make(mask: Bools, face: Floats | None = None, *, scanned: Mesh | None = None) -> SimpleNamespace:
        points = template.vertices if face is None else face
        gone = mask[template.faces[3]].any(1)
        scan_faces, made_faces = template.faces[3][~gone], template.faces[3][gone]
        lost = np.setdiff1d(np.unique(made_faces), np.unique(scan_faces))
        kept = np.setdiff1d(np.arange(len(points)), lost)
        order = np.concatenate([kept, lost])
        new = np.empty(len(order), int)
        new[order] = np.arange(len(order))
        merged = Mesh(points[order], new[np.concatenate([scan_faces, made_faces])])
        weights = sp.csr_matrix((np.ones(len(lost)), (np.arange(len(lost)), lost)), (len(lost), len(points)))
        pose = Similarity(rotation_from_vector([0.1, 0.4, -0.2]), np.array([10.0, -20.0, 300.0]))
        provenance = np.zeros(len(points), int)
        provenance[lost] = 2
        scan = scanned or Mesh(points[kept], new[scan_faces])
        scan = scan.with_vertices(pose.inverse().apply(scan.vertices))
        evidence = SimpleNamespace(
            joined=SimpleNamespace(merged=merged, weights=weights),
            scan=SimpleNamespace(mesh=scan, mm=SimpleNamespace(mesh=scan)),
            projected=SimpleNamespace(vertices=points, measured=provenance == 0),
            model=SimpleNamespace(template=template),
            fit=SimpleNamespace(pose=pose),
        )
        back = pose.inverse()
        return Completion(
            face=Mesh(back.apply(points), template.faces[3]),
            merged=merged.with_vertices(back.apply(merged.vertices)),
            patch=Mesh(np.zeros((0, 3)), np.zeros((0, 3), int)),
            provenance=provenance,
            sigma_mm=np.where(provenance > 0, 0.8, 0.1),
            merged_provenance=provenance[order],
            merged_sigma_mm=np.where(provenance[order] > 0, 0.8, 0.1),
            pose=pose,
            report=None,
            evidence=evidence,
        )

    return make
