"""Pictures of a mesh as numbers: depth, normals, shading, labels and mask, from whichever rasteriser is installed.

A backend answers one question, which face each pixel shows and where in it; the values follow from that answer alone,
so backends cannot disagree on anything else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, face_cross, unit, vertex_normals
from facecom.geometry.nearest import Surface
from facecom.guidance.camera import Camera

Backend = Literal["open3d", "pytorch3d"]
AMBIENT = 0.2
HEADLIGHT = (-0.25, 0.35, 0.9)
"""Direction towards the light in the camera's frame: right, up, towards the viewer."""


@dataclass(frozen=True, eq=False)
class Fragments:
    """faces : (H, W) int, the face each pixel shows, -1 for none; barycentric : (H, W, 3), where in it."""

    faces: Ints
    barycentric: Floats


@dataclass(frozen=True, eq=False)
class Render:
    """A picture of a mesh.

    Parameters
    ----------
    camera : Camera
    mask : (H, W) bool, where the front of the surface shows
    depth : (H, W) float, mm along the viewing direction; NaN outside the mask
    normals : (H, W, 3) float, unit, face frame; zero outside
    shading : (H, W) float in 0..1; zero outside
    labels : (H, W) int or None, -1 outside
    colors : (H, W, 3) float in 0..1 or None: the mesh's own, unlit
    fragments : Fragments of the same picture
    """

    camera: Camera
    mask: Bools
    depth: Floats
    normals: Floats
    shading: Floats
    labels: Ints | None
    colors: Floats | None
    fragments: Fragments

    def rgb(self, tint: ArrayLike = (1.0, 1.0, 1.0)) -> Floats:
        """Lit picture (H, W, 3) in 0..1: the mesh's own colours, or `tint` where it has none, on black."""
        base = np.asarray(tint, float) if self.colors is None else self.colors
        return self.shading[..., None] * base


def render(
    mesh: Mesh | Surface,
    camera: Camera,
    *,
    labels: ArrayLike | None = None,
    backend: Backend = "open3d",
    light: ArrayLike = HEADLIGHT,
    ambient: float = AMBIENT,
) -> Render:
    """Depth, normals, shading, labels and mask of a mesh.

    What shows its back counts as not seen: through a hole one looks at the inside of the head.

    Parameters
    ----------
    mesh : Mesh, face frame, mm; or a Surface, whose tree then is built once for many views
    labels : (V,) int for each vertex; a pixel has the label of the nearest corner of its face
    backend : "open3d" (rays on the CPU) or "pytorch3d" where that is installed
    light : (3,) direction towards the light in the camera's frame
    ambient : share of the light that comes from everywhere

    Raises
    ------
    ValueError
        For an unknown backend, labels of another length, or a view with nothing in it.
    MissingDependency
        When pytorch3d is asked for and absent.

    Examples
    --------
    >>> flat = Mesh([[-9, -9, 0], [9, -9, 0], [0, 9, 0]], [[0, 1, 2]])
    >>> picture = render(flat, Camera.orthographic(target=[0, 0, 0], half_mm=10, size=8))
    >>> float(picture.depth[4, 4]), picture.normals[4, 4].tolist()
    (500.0, [0.0, 0.0, 1.0])
    """
    fragments = rasterise(mesh, camera, backend=backend)
    surface = mesh.mesh if isinstance(mesh, Surface) else mesh
    if labels is not None and len(np.asarray(labels)) != len(surface.vertices):
        raise ValueError(f"labels has {len(np.asarray(labels))} entries for {len(surface.vertices)} vertices")
    place = np.flatnonzero(fragments.faces.ravel() >= 0)
    corners = surface.faces[fragments.faces.ravel()[place]]
    weights = fragments.barycentric.reshape(-1, 3)[place]
    facing = _facing(surface, camera)[fragments.faces.ravel()[place]]
    place, corners, weights = place[facing], corners[facing], weights[facing]
    if not len(place):
        raise ValueError("the view shows nothing of the mesh; check the camera's target, its size and the mesh's frame")
    values = np.column_stack([vertex_normals(surface.vertices, surface.faces), _depths(surface.vertices, camera)])
    blended = _blend(values, corners, weights)
    normals, depth = unit(blended[:, :3]), blended[:, 3]
    toward = unit(np.asarray(light, float)) @ camera.axes
    shape = (camera.height, camera.width)
    shading = ambient + (1 - ambient) * np.clip(normals @ toward, 0, 1)
    pick = corners[np.arange(len(corners)), weights.argmax(1)]
    return Render(
        camera=camera,
        mask=_image(shape, place, True, False),
        depth=_image(shape, place, depth, np.nan),
        normals=_image(shape, place, normals, 0.0),
        shading=_image(shape, place, shading, 0.0),
        labels=None if labels is None else _image(shape, place, np.asarray(labels, np.int64)[pick], -1),
        colors=None if surface.colors is None else _image(shape, place, _blend(surface.colors, corners, weights), 0.0),
        fragments=Fragments(
            _image(shape, place, fragments.faces.ravel()[place], -1), _image(shape, place, weights, 0.0)
        ),
    )


def rasterise(mesh: Mesh | Surface, camera: Camera, *, backend: Backend = "open3d") -> Fragments:
    """Which face each pixel shows and where in it, front or back (see `render` for parameters and errors)."""
    if backend not in get_args(Backend):
        raise ValueError(f"backend must be one of {', '.join(get_args(Backend))}, got {backend!r}")
    return _rasteriser(backend)(mesh, camera)


def _rasteriser(backend: Backend) -> Callable[[Mesh | Surface, Camera], Fragments]:
    if backend == "open3d":
        return _by_rays
    from facecom.guidance.pytorch3d_backend import fragments

    return lambda mesh, camera: fragments(mesh.mesh if isinstance(mesh, Surface) else mesh, camera)


def _by_rays(mesh: Mesh | Surface, camera: Camera) -> Fragments:
    surface = mesh if isinstance(mesh, Surface) else Surface(mesh)
    origins, directions = camera.rays()
    hits = surface.cast(origins.reshape(-1, 3), directions.reshape(-1, 3))
    shape = (camera.height, camera.width)
    return Fragments(hits.faces.reshape(shape), hits.barycentric.reshape(*shape, 3))


def _facing(mesh: Mesh, camera: Camera) -> Bools:
    """Whether each face turns its front to the viewer, (F,)."""
    cross = face_cross(mesh.vertices, mesh.faces)
    if not camera.perspective:
        return cross @ camera.axes[2] > 0
    return np.einsum("fd,fd->f", cross, camera.eye - mesh.vertices[mesh.faces[:, 0]]) > 0


def _depths(vertices: Floats, camera: Camera) -> Floats:
    return (camera.eye - vertices) @ camera.axes[2]


def _blend(values: Floats, corners: Ints, weights: Floats) -> Floats:
    """Values (V, C) at the vertices, interpolated in the visible faces: (P, C)."""
    total = values[corners[:, 0]] * weights[:, :1]
    total += values[corners[:, 1]] * weights[:, 1:2]
    total += values[corners[:, 2]] * weights[:, 2:]
    return total


def _image(shape: tuple[int, int], place: Ints, values: ArrayLike, outside: float) -> np.ndarray:
    """Picture with `values` at the flat pixels `place` and `outside` elsewhere."""
    filled = np.asarray(values)
    image = np.full((shape[0] * shape[1], *filled.shape[1:]), outside, dtype=filled.dtype)
    image[place] = filled
    return image.reshape(*shape, *filled.shape[1:])
