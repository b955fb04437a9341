"""Renders of a mesh as arrays: depth, normals, shading, labels and mask, from whichever rasteriser is installed.

A backend answers one question, which face each pixel shows and where in it; the values follow from that answer alone,
so backends cannot disagree on anything else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, face_cross, unit, vertex_normals
from facecom.guidance import pytorch3d_backend
from facecom.guidance.camera import Camera
from facecom.guidance.fragments import Fragments

Backend = Literal["open3d", "pytorch3d"]
AMBIENT = 0.2
"""Share of the light that comes from everywhere."""
MIN_FACING = 0.2
"""Bound on the cosine by which depths along the view are divided: at the silhouette they would grow without end."""
HEADLIGHT = (-0.25, 0.35, 0.9)
"""Direction towards the light in the camera's frame: right, up, towards the viewer."""


@dataclass(frozen=True, eq=False)
class Render:
    """A render of a mesh.

    Parameters
    ----------
    camera : Camera
    mask : (H, W) bool, where the front of the surface shows
    depth : (H, W) float, mm along the viewing direction; NaN outside the mask
    normals : (H, W, 3) float, unit, face frame; zero outside
    shading : (H, W) float in 0..1; zero outside
    labels : (H, W) int or None, -1 outside
    colors : (H, W, 3) float in 0..1 or None: the mesh's own, unlit
    fragments : Fragments of the same view
    """

    camera: Camera
    mask: Bools
    depth: Floats
    normals: Floats
    shading: Floats
    labels: Ints | None
    colors: Floats | None
    fragments: Fragments

    def facing(self) -> Floats:
        """Cosine of the angle between normals and viewer, (H, W), `MIN_FACING` at the least."""
        return np.clip(self.normals @ self.camera.axes[2], MIN_FACING, 1.0)

    def rgb(self, tint: ArrayLike = (1.0, 1.0, 1.0)) -> Floats:
        """Lit image (H, W, 3) in 0..1: the mesh's own colours, or `tint` where it has none, on black."""
        base = np.asarray(tint, float) if self.colors is None else self.colors
        return self.shading[..., None] * base


class Scene:
    """A mesh prepared for many renders: tree, vertex normals and face normals are found once.

    Parameters
    ----------
    mesh : Mesh with faces, face frame, mm; or a Surface, whose tree is used
    """

    def __init__(self, mesh: Mesh | Surface) -> None:
        self.surface = mesh if isinstance(mesh, Surface) else Surface(mesh)

    @property
    def mesh(self) -> Mesh:
        """The surface as it was given."""
        return self.surface.mesh

    @cached_property
    def cross(self) -> Floats:
        """Cross product of two edges of each face, (F, 3)."""
        return face_cross(self.mesh.vertices, self.mesh.faces)

    @cached_property
    def normals(self) -> Floats:
        """Unit normals of the vertices, (V, 3)."""
        return vertex_normals(self.mesh.vertices, self.mesh.faces)


def render(
    mesh: Mesh | Surface | Scene,
    camera: Camera,
    *,
    labels: ArrayLike | None = None,
    backend: Backend = "open3d",
    light: ArrayLike = HEADLIGHT,
    ambient: float = AMBIENT,
) -> Render:
    """Depth, normals, shading, labels and mask of a mesh.

    Back faces count as not visible: through a hole one looks at the inside of the head.

    Parameters
    ----------
    mesh : Mesh, face frame, mm; or a Scene, which renders one mesh many times faster
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
    scene = mesh if isinstance(mesh, Scene) else Scene(mesh)
    fragments, surface = rasterise(scene, camera, backend=backend), scene.mesh
    if labels is not None and len(np.asarray(labels)) != len(surface.vertices):
        raise ValueError(f"labels has {len(np.asarray(labels))} entries for {len(surface.vertices)} vertices")
    shown = fragments.faces.ravel()
    pixels = np.flatnonzero(shown >= 0)
    pixels = pixels[_front_facing(scene, camera, shown[pixels])]
    if not len(pixels):
        raise ValueError("the view shows nothing of the mesh; check the camera's target, its size and the mesh's frame")
    faces, weights = shown[pixels], fragments.barycentric.reshape(-1, 3)[pixels]
    corners = surface.faces[faces]
    blended = _interpolate(np.column_stack([scene.normals, _depths(surface.vertices, camera)]), corners, weights)
    normals, depth = unit(blended[:, :3]), blended[:, 3]
    toward = unit(np.asarray(light, float)) @ camera.axes
    shading = ambient + (1 - ambient) * np.clip(normals @ toward, 0, 1)
    pick = corners[np.arange(len(corners)), weights.argmax(1)]
    image = partial(_scatter_to_image, (camera.height, camera.width), pixels)
    return Render(
        camera=camera,
        mask=image(True, False),
        depth=image(depth, np.nan),
        normals=image(normals, 0.0),
        shading=image(shading, 0.0),
        labels=None if labels is None else image(np.asarray(labels, np.int64)[pick], -1),
        colors=None if surface.colors is None else image(_interpolate(surface.colors, corners, weights), 0.0),
        fragments=Fragments(image(faces, -1), image(weights, 0.0)),
    )


def rasterise(mesh: Mesh | Surface | Scene, camera: Camera, *, backend: Backend = "open3d") -> Fragments:
    """Which face each pixel shows and where in it, front or back (see `render` for parameters and errors)."""
    if backend not in get_args(Backend):
        raise ValueError(f"backend must be one of {', '.join(get_args(Backend))}, got {backend!r}")
    return _rasteriser(backend)(mesh, camera)


def _rasteriser(backend: Backend) -> Callable[[Mesh | Surface | Scene, Camera], Fragments]:
    if backend == "open3d":
        return _cast_rays
    return lambda mesh, camera: pytorch3d_backend.fragments(mesh if isinstance(mesh, Mesh) else mesh.mesh, camera)


def _cast_rays(mesh: Mesh | Surface | Scene, camera: Camera) -> Fragments:
    surface = mesh.surface if isinstance(mesh, Scene) else mesh if isinstance(mesh, Surface) else Surface(mesh)
    origins, directions = camera.rays()
    hits = surface.cast(origins.reshape(-1, 3), directions.reshape(-1, 3))
    shape = (camera.height, camera.width)
    return Fragments(hits.faces.reshape(shape), hits.barycentric.reshape(*shape, 3))


def _front_facing(scene: Scene, camera: Camera, faces: Ints) -> Bools:
    """Whether each of some faces turns its front to the viewer."""
    if not camera.perspective:
        return (scene.cross @ camera.axes[2] > 0)[faces]
    away = camera.eye - scene.mesh.vertices[scene.mesh.faces[faces, 0]]
    return np.einsum("fd,fd->f", scene.cross[faces], away) > 0


def _depths(vertices: Floats, camera: Camera) -> Floats:
    return (camera.eye - vertices) @ camera.axes[2]


def _interpolate(values: Floats, corners: Ints, weights: Floats) -> Floats:
    """Values (V, C) at the vertices, interpolated in the visible faces: (P, C)."""
    total = values[corners[:, 0]] * weights[:, :1]
    total += values[corners[:, 1]] * weights[:, 1:2]
    total += values[corners[:, 2]] * weights[:, 2:]
    return total


def _scatter_to_image(shape: tuple[int, int], pixels: Ints, values: ArrayLike, outside: float) -> np.ndarray:
    """Image with `values` at flat pixel indices and `outside` elsewhere."""
    filled = np.asarray(values)
    image = np.full((shape[0] * shape[1], *filled.shape[1:]), outside, dtype=filled.dtype)
    image[pixels] = filled
    return image.reshape(*shape, *filled.shape[1:])
