"""Small skins with a piece missing, made here: a rough bump, and a patch over a wavy hole in it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from facecom.geometry.mesh import Floats, Mesh
from facecom.prosthesis.axis import axis_frame, choose_axis
from facecom.prosthesis.sheet import Sheet, cut_sheet, find_defects, vector_area
from facecom.prosthesis.shell import Shell, Thickness, build_shell, outer_face, tissue_mesh

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
    outer: Sheet
    shell: Shell
    turn: Floats


def make_skin(seed: int, *, spacing: float = 2.0, half: float = 26.0, radius: float = 11.0) -> Skin:
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
    middle = places[faces].mean(1)
    turn = np.arctan2(middle[:, 1], middle[:, 0])
    made = np.hypot(*middle.T) < radius * (1 + 0.15 * np.sin(waves * turn))
    return Skin(Mesh(np.column_stack([places, height(places)]), faces), made, height)


def build(skin: Skin, *, axis="auto", bed: Mesh | None = None, grid_mm: float = 0.8, thickness=THICKNESS) -> Built:
    defect = find_defects(skin.merged, skin.made, margin_mm=thickness.margin, least_mm2=100.0)[0]
    sheet, wide, own = cut_sheet(skin.merged, defect, margin_mm=thickness.margin, beyond_mm=3.0)
    around = outer_face(wide, thickness)
    outer = Sheet(sheet.mesh.with_vertices(own @ around.vertices), sheet.inward, sheet.weights)
    seat, _ = sheet.mesh.submesh((sheet.inward[sheet.mesh.faces] <= 1e-9).all(1))
    direction = choose_axis(outer.mesh, seat, vector_area(skin.merged, defect.faces), given=axis, count=12)
    turn = axis_frame(direction)
    tissue = tissue_mesh(wide, bed, thickness.clearance)
    beyond = Sheet(around, wide.inward, wide.weights)
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
