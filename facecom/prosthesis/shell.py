"""The part itself: outer face the completed skin, inner face a wall behind it, on the wound or on the skin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.ndimage import maximum_filter
from scipy.spatial import cKDTree

from facecom.geometry.laplacian import uniform_laplacian
from facecom.geometry.mesh import Floats, Mesh, face_normals, unit, vertex_normals
from facecom.geometry.nearest import Surface
from facecom.prosthesis.levels import level_surface
from facecom.prosthesis.sheet import Sheet
from facecom.prosthesis.solids import below, crossing_edges, height_solid, to_mesh, to_solid


@dataclass(frozen=True)
class Thickness:
    """How the part's thickness runs with the geodesic distance from the defect's edge; all in mm.

    edge : at the margin's outer border
    lip : at the defect's edge, where the part still lies on skin and so stands out by as much
    wall : over the open cavity
    clearance : between part and tissue
    margin : width of the band on healthy skin, over which edge becomes lip
    blend : width of the band within the defect, over which lip becomes wall
    """

    edge: float
    lip: float
    wall: float
    clearance: float
    margin: float
    blend: float

    def at(self, inward: Floats) -> Floats:
        """Thickness at a distance from the defect's edge, positive within it; never falls."""
        on_skin = self.edge + (self.lip - self.edge) * smooth_step(1.0 + inward / self.margin)
        return np.where(inward <= 0, on_skin, self.lip + (self.wall - self.lip) * smooth_step(inward / self.blend))

    def lift(self, inward: Floats) -> Floats:
        """How far the outer face stands out of the completed skin there."""
        within = (self.clearance + self.lip) * (1.0 - smooth_step(inward / self.blend))
        return np.where(inward <= 0, self.clearance + self.at(inward), within)


def smooth_step(x: Floats) -> Floats:
    """0 below 0, 1 above 1, rising in between with level ends."""
    s = np.clip(x, 0.0, 1.0)
    return s * s * (3.0 - 2.0 * s)


@dataclass(frozen=True, eq=False)
class Shell:
    """A part in its axis frame (z is the axis), mm.

    solid, block, tissue : manifold3d solids: the part, all that is under its outer face, and what it must not enter
    outer : Sheet, the outer face with its border
    thickness : (V,) mm, what was asked for at each vertex of `outer`
    warnings : tuple of str
    """

    solid: Any
    block: Any
    tissue: Any
    outer: Sheet
    thickness: Floats
    floor: float
    warnings: tuple[str, ...]


def slack(grid_mm: float) -> float:
    """What is added to the thickness, mm, so that the chords of the inner face nowhere make the part thinner."""
    return 0.02 + 0.05 * grid_mm


def outer_face(sheet: Sheet, thickness: Thickness) -> Mesh:
    """The sheet lifted off the skin as far as the thickness over skin needs."""
    return sheet.mesh.with_vertices(
        sheet.mesh.vertices + thickness.lift(sheet.inward)[:, None] * even_normals(sheet.mesh, rounds=3)
    )


def even_normals(mesh: Mesh, *, rounds: int) -> Floats:
    """Vertex normals averaged with their neighbours, so that a scan's noise does not fold a lifted surface."""
    normals = vertex_normals(mesh.vertices, mesh.faces)
    step = uniform_laplacian(mesh.faces, len(mesh.vertices))
    for _ in range(rounds):
        normals = unit(normals + 0.5 * (step @ normals))
    return normals


def build_shell(
    outer: Sheet,
    around: Sheet,
    tissue: Mesh,
    *,
    thickness: Thickness,
    turn: Floats,
    grid_mm: float,
    bed: Mesh | None = None,
) -> Shell:
    """Build the part behind an outer face.

    Parameters
    ----------
    outer, around : Sheet, face frame, mm: the outer face, and the same surface reaching farther over the skin
    tissue : Mesh, face frame, what the part must not enter
    bed : Mesh or None, the part of the tissue that the part fills the room above, face frame
    thickness : Thickness
    turn : (3, 3) rotation, face frame -> axis frame
    grid_mm : cell of the grid on which the inner face is found; it is exact to about a hundredth of that

    Raises
    ------
    ValueError
        When the border crosses itself along the axis, or nothing of the part is left.
    """
    moved = lambda m: m.with_vertices(m.vertices @ turn.T)  # noqa: E731
    shown, beyond, ground = moved(outer.mesh), moved(around.mesh), moved(tissue)
    wanted = thickness.at(around.inward) + slack(grid_mm)
    if bed is not None and len(bed.faces):
        wanted = np.maximum(wanted, _room(beyond, around.inward, moved(bed)) + 2.0 * grid_mm)
    floor = float(min(beyond.vertices[:, 2].min(), ground.vertices[:, 2].min())) - thickness.wall - 4.0
    block = below(shown, floor=floor)
    core = to_solid(_core(block, beyond, wanted, grid_mm)).simplify(0.01 * grid_mm)
    stop = to_solid(_ground(ground, floor=floor - 1.0, spacing=0.5 * grid_mm))
    whole = to_solid(block)
    if bed is not None and len(bed.faces):
        stop = stop + _under(moved(bed), floor=floor - 1.0)
    solid, warnings = _outer_piece(whole - core - stop, shown)
    final = Sheet(shown, outer.inward, outer.weights)
    return Shell(solid, whole, stop, final, thickness.at(outer.inward), floor, warnings)


def _room(beyond: Mesh, inward: Floats, bed: Mesh) -> Floats:
    """Height of each vertex of the outer face over the wound bed under it, 0 where there is none, axis frame."""
    down = np.broadcast_to([0.0, 0.0, -1.0], beyond.vertices.shape)
    hits = Surface(bed).cast(beyond.vertices, down)
    under = np.isfinite(hits.depth) & (face_normals(bed)[hits.faces, 2] > 0) & (inward > 0)
    return np.where(under, hits.depth, 0.0)


def tissue_mesh(wide: Sheet, bed: Mesh | None, clearance: float) -> Mesh:
    """The skin around a defect and, lifted by the clearance, the wound bed; face frame."""
    healthy, _ = wide.mesh.submesh(np.asarray((wide.inward[wide.mesh.faces] <= 1e-9).all(1)))
    if bed is None or not len(bed.faces):
        return healthy
    lifted = bed.vertices + clearance * even_normals(bed, rounds=2)
    return Mesh(
        np.concatenate([healthy.vertices, lifted]),
        np.concatenate([healthy.faces, bed.faces + len(healthy.vertices)]),
    )


def _ground(tissue: Mesh, *, floor: float, spacing: float) -> Mesh:
    """What lies under the tissue as the axis sees it; a part that stays above it can be taken off along the axis."""
    low, high = tissue.vertices[:, :2].min(0) - 2 * spacing, tissue.vertices[:, :2].max(0) + 2 * spacing
    # Twice as fine as the solid, to see how far its flat pieces would rise above hollows.
    rows, columns = 2 * np.ceil((high - low) / spacing).astype(int) + 1
    x, y = (low[k] + 0.5 * spacing * np.arange(n) for k, n in enumerate((rows, columns)))
    top = float(tissue.vertices[:, 2].max()) + 5.0
    start = np.stack([*(g.ravel() for g in np.meshgrid(x, y, indexing="ij")), np.full(rows * columns, top)], axis=1)
    depth = Surface(tissue).cast(start, np.broadcast_to([0.0, 0.0, -1.0], start.shape)).depth
    heights = np.maximum(top - depth.reshape(rows, columns), floor)
    return height_solid(_sunk(heights), origin=low, spacing=spacing, floor=floor)


def _under(bed: Mesh, *, floor: float) -> Any:
    """All that lies under the wound bed itself, which the grid of the ground rounds off at steep walls."""
    try:
        return to_solid(below(bed, floor=floor))
    except ValueError:  # no disc, or it hangs over: then the grid alone keeps the part away
        return to_solid(Mesh(np.zeros((0, 3)), np.zeros((0, 3), np.int64)))


def _sunk(fine: Floats, *, most_mm: float = 0.3) -> Floats:
    """Every second height, lowered by as much as the flat pieces between them rise above the heights left out."""
    coarse = fine[::2, ::2]
    guess = np.empty_like(fine)
    guess[::2, ::2] = coarse
    guess[1::2, ::2] = 0.5 * (coarse[1:] + coarse[:-1])
    guess[::2, 1::2] = 0.5 * (coarse[:, 1:] + coarse[:, :-1])
    guess[1::2, 1::2] = 0.5 * (coarse[1:, 1:] + coarse[:-1, :-1])
    over = np.clip(guess - fine, 0.0, most_mm)
    worst = maximum_filter(over, size=3, mode="nearest")[::2, ::2]
    return coarse - worst


def _core(block: Mesh, around: Mesh, wanted: Floats, spacing: float) -> Mesh:
    """Everything farther behind the outer face than the thickness wanted there."""
    field = _Depth(_reach(block, around), around, wanted)
    low = block.vertices.min(0) - 2.5 * spacing
    count = np.ceil((block.vertices.max(0) + 2.5 * spacing - low) / spacing).astype(int) + 1
    values = sample_level(field, low, count, spacing)
    rough = level_surface(values, origin=low, spacing=spacing)
    return _uncrossed(rough, field.settled(rough.vertices, most_mm=0.35 * spacing))


def _uncrossed(mesh: Mesh, moved: Floats, *, rounds: int = 8) -> Mesh:
    """The mesh with its vertices moved, except around places where it would then cross itself."""
    for _ in range(rounds):
        bad = np.unique(crossing_edges(mesh.with_vertices(moved)))
        if not len(bad):
            return mesh.with_vertices(moved)
        for _ in range(2):
            bad = np.unique(mesh.faces[np.isin(mesh.faces, bad).any(1)])
        moved = moved.copy()
        moved[bad] = mesh.vertices[bad]
    return mesh


def _reach(block: Mesh, around: Mesh) -> Mesh:
    """What lies under the wider face where that is seen whole: its walls stand clear of the part's own."""
    try:
        return below(around, floor=float(block.vertices[:, 2].min()))
    except ValueError:
        return block


class _Depth:
    """Depth behind the outer face less the thickness wanted there, mm: positive where the part ends."""

    def __init__(self, block: Mesh, around: Mesh, wanted: Floats) -> None:
        self._block, self._around = Surface(block), Surface(around)
        self._out = face_normals(block)
        self._normals = vertex_normals(around.vertices, around.faces)
        self._wanted = wanted

    def settled(self, points: Floats, *, most_mm: float) -> Floats:
        """Points near the inner face moved along the shortest way to the outer face, to the very thickness wanted.

        Linear interpolation on a grid blurs creases; those farther away than `most_mm` are left where they are.
        """
        found = self._around.closest(points)
        corners = self._around.mesh.faces[found.faces]
        normals = np.einsum("qk,qkd->qd", found.barycentric, self._normals[corners])
        offset = points - found.points
        depth = np.where(np.einsum("qd,qd->q", offset, normals) < 0, found.distance, -found.distance)
        wanted = np.einsum("qk,qk->q", found.barycentric, self._wanted[corners])
        move = np.where(np.abs(wanted - depth) < most_mm, wanted - depth, 0.0)[:, None]
        # Too close to the outer face the direction to it is rounding.
        away = unit(offset) * np.sign(depth)[:, None]
        return points + move * np.where(found.distance[:, None] > 0.2, away, -normals)

    def __call__(self, points: Floats) -> Floats:
        found = self._around.closest(points)
        corners = self._around.mesh.faces[found.faces]
        normals = np.einsum("qk,qkd->qd", found.barycentric, self._normals[corners])
        behind = np.einsum("qd,qd->q", found.points - points, normals) > 0
        up = self._block.cast(points, np.broadcast_to([0.0, 0.0, 1.0], points.shape))
        inside = (up.faces >= 0) & (self._out[up.faces, 2] > 0)
        wanted = np.einsum("qk,qk->q", found.barycentric, self._wanted[corners])
        return np.where(behind | inside, found.distance, -found.distance) - wanted


def sample_level(field: Any, low: Floats, count: Any, spacing: float, *, slope: float = 1.8) -> Floats:
    """Values of a function on a grid, exact near its zero and of the right sign elsewhere.

    Coarse grids tell where the zero can be: `slope` bounds how fast the function changes, per mm.
    """
    size = np.asarray(count)
    values = np.full(-(-size // 8), 0.0)
    for stride in (8, 4, 2, 1):
        if stride < 8:
            values = values.repeat(2, 0).repeat(2, 1).repeat(2, 2)
        values = values[tuple(slice(n) for n in -(-size // stride))]
        # Half a block around its middle, and the neighbours of a crossing edge, whose values are interpolated.
        coarser = np.sqrt(3.0) * spacing * ((stride - 0.5) if stride < 8 else 0.0)
        near = np.nonzero(np.abs(values) <= slope * (coarser + np.sqrt(3.0) * spacing))
        values[near] = field(low + spacing * (stride * np.stack(near, axis=1) + 0.5 * (stride - 1)))
    return values


def _outer_piece(solid: Any, outer: Mesh) -> tuple[Any, tuple[str, ...]]:
    """The connected piece that carries the outer face; other pieces that carry some of it are named in a warning."""
    tree = cKDTree(outer.vertices)
    pieces = solid.decompose()
    shown = [int((tree.query(to_mesh(piece).vertices, distance_upper_bound=1e-6)[0] < 1e-6).sum()) for piece in pieces]
    if not any(shown):
        raise ValueError("nothing is left of the part once the tissue is taken away; choose a smaller clearance")
    best = int(np.argmax(shown))
    lost = sum(piece.volume() for k, piece in enumerate(pieces) if shown[k] and k != best)
    if lost > 0.01 * pieces[best].volume():
        return pieces[best], (f"{lost:.0f} mm3 of the part hung on nothing and was left out",)
    return pieces[best], ()
