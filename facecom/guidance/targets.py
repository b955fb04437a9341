"""From inpainted views to observations that the fit takes in beside the scan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import spsolve

from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, read_only
from facecom.guidance.camera import Camera
from facecom.guidance.rendering import MIN_FACING, rasterise

OLD_DEPTH_WEIGHT = 1e-6
"""Weight of a pixel's old depth beside the slopes between pixels: next to nothing."""


@dataclass(frozen=True, eq=False)
class ImageTarget:
    """What a view should show where the scan does not.

    Parameters
    ----------
    camera : Camera
    depth : (H, W) float, mm, as in a Render
    normals : (H, W, 3) float, unit, face frame
    sigma_mm : (H, W) float, standard deviation along the viewing direction
    mask : (H, W) bool, the inpainted pixels; the others are the scan's own

    Raises
    ------
    ValueError
        On wrong shapes, an empty mask, or masked pixels without finite depth or positive sigma.
    """

    camera: Camera
    depth: Floats
    normals: Floats
    sigma_mm: Floats
    mask: Bools

    def __post_init__(self) -> None:
        shape = (self.camera.height, self.camera.width)
        for name, wanted in (("depth", shape), ("normals", (*shape, 3)), ("sigma_mm", shape), ("mask", shape)):
            value = read_only(getattr(self, name), bool if name == "mask" else float)
            if value.shape != wanted:
                raise ValueError(f"{name} must have the camera's shape {wanted}, got {value.shape}")
            object.__setattr__(self, name, value)
        if not self.mask.any():
            raise ValueError("the target's mask is empty: there is nothing to observe")
        if not np.isfinite(self.depth[self.mask]).all() or not (self.sigma_mm[self.mask] > 0).all():
            raise ValueError("inside the mask each pixel needs a finite depth and a positive sigma")


@dataclass(frozen=True, eq=False)
class Observations:
    """N points that the face should pass through, each tied to a face of the mesh.

    corners : (N, 3) int, vertices of that face; barycentric : (N, 3); points, normals : (N, 3), mm, face frame;
    sigma_mm : (N,), along the normal, with with the correlation of neighbouring pixels counted in.
    """

    corners: Ints
    barycentric: Floats
    points: Floats
    normals: Floats
    sigma_mm: Floats

    def jacobian_rows(self, vertices: Floats, jacobian: Floats) -> tuple[Floats, Floats, Floats]:
        """Point-to-plane rows: (N, M + 6) for code and small motion of the face, (N,) residuals in mm, (N,) weights.

        Parameters
        ----------
        vertices : (V, 3), mm, face frame, of the mesh that was observed
        jacobian : (3 V, M), their derivative by the code

        The motion is a rotation about the origin of the face frame, then a translation, as in the fit's precision.
        """
        at = np.einsum("nk,nkd->nd", self.barycentric, vertices[self.corners])
        moves = jacobian.reshape(len(vertices), 3, -1)
        shape = np.zeros((len(at), moves.shape[2]))
        for k in range(3):
            along = (self.normals * self.barycentric[:, k, None]).astype(moves.dtype)
            shape += np.einsum("nd,ndm->nm", along, moves[self.corners[:, k]])
        rows = np.concatenate([shape, np.cross(at, self.normals), self.normals], axis=1)
        return rows, np.einsum("nd,nd->n", self.normals, self.points - at), 1.0 / self.sigma_mm**2


def observations(
    targets: Sequence[ImageTarget],
    vertices: Floats,
    faces: Ints,
    *,
    correlation_mm: float = 12.0,
    min_facing: float = 0.35,
) -> Observations | None:
    """Observe a fitted face through targets; None where no inpainted pixel shows the face.

    Parameters
    ----------
    targets : views, each with its inpainted pixels
    vertices, faces : (V, 3) mm, face frame, and (F, 3), the fitted face
    correlation_mm : distance over which a network repeats its errors; the pixels of such a disc, in all views, count
        together as one observation
    min_facing : least cosine between normal and viewing direction; more oblique pixels are left out

    Examples
    --------
    >>> camera = Camera.orthographic(target=[0, 0, 0], half_mm=10, size=8)
    >>> flat = Mesh([[-9, -9, 0], [9, -9, 0], [0, 9, 0]], [[0, 1, 2]])
    >>> up = np.broadcast_to([0.0, 0, 1], (8, 8, 3))
    >>> higher = ImageTarget(camera, np.full((8, 8), 499.0), up, np.ones((8, 8)), np.ones((8, 8), bool))
    >>> found = observations([higher], flat.vertices, flat.faces)
    >>> found.points[:, 2].tolist() == [1.0] * len(found.points)
    True
    """
    surface = Surface(Mesh(vertices, faces))
    parts = [part for target in targets if (part := _observe(target, surface, min_facing, correlation_mm)) is not None]
    if not parts:
        return None
    corners, barycentric, points, normals, sigma = (np.concatenate(values) for values in zip(*parts, strict=True))
    return Observations(corners, barycentric, points, normals, sigma * np.sqrt(len(parts)))


def _observe(
    target: ImageTarget, surface: Surface, min_facing: float, correlation_mm: float
) -> tuple[Ints, Floats, Floats, Floats, Floats] | None:
    camera, mesh = target.camera, surface.mesh
    fragments = rasterise(surface, camera)
    facing = target.normals @ camera.axes[2]
    pick = target.mask & (fragments.faces >= 0) & (facing > min_facing)
    if not pick.any():
        return None
    depth = target.depth[pick]
    side_mm = (depth if camera.perspective else 1.0) / camera.scale
    # a disc of the correlation's radius holds this many pixels, which repeat one error
    repeats = np.maximum(np.pi * correlation_mm**2 / side_mm**2, 1.0)
    sigma = target.sigma_mm[pick] * facing[pick] * np.sqrt(repeats)
    corners = mesh.faces[fragments.faces[pick]]
    return corners, fragments.barycentric[pick], camera.unproject(target.depth)[pick], target.normals[pick], sigma


def depth_from_normals(depth: Floats, normals: Floats, mask: Bools, camera: Camera) -> Floats:
    """Fill the masked pixels of a depth image so that its slopes are those of the normals and its border stays.

    Least squares over neighbouring pixels (a Poisson equation; Horn and Brooks 1986, equation 18); masked pixels that
    no known one touches, not even through others, keep their depth.

    Parameters
    ----------
    depth : (H, W) mm, known outside the mask where it is finite
    normals : (H, W, 3) unit, face frame
    mask : (H, W) bool, pixels to fill

    Raises
    ------
    ValueError
        For a pinhole camera.
    """
    if camera.perspective:
        raise ValueError("depth is filled in from normals for orthographic cameras alone")
    local = normals @ camera.axes.T
    toward = np.maximum(local[..., 2], MIN_FACING)
    slope_right, slope_up = local[..., 0] / toward / camera.scale, local[..., 1] / toward / camera.scale
    usable = mask | np.isfinite(depth)
    index = np.arange(mask.size).reshape(mask.shape)
    pairs, steps = [], []
    for first, second, step in (
        ((slice(None), slice(None, -1)), (slice(None), slice(1, None)), slope_right),
        ((slice(None, -1), slice(None)), (slice(1, None), slice(None)), -slope_up),
    ):
        joined = usable[first] & usable[second] & (mask[first] | mask[second])
        pairs.append(np.stack([index[first][joined], index[second][joined]], axis=1))
        steps.append((0.5 * (step[first] + step[second]))[joined])
    return _solve_poisson(depth, mask, np.concatenate(pairs), np.concatenate(steps))


def _solve_poisson(depth: Floats, mask: Bools, pairs: Ints, steps: Floats) -> Floats:
    """Depth whose differences over the pairs are the steps, given the pixels outside the mask."""
    count = len(pairs)
    across = sp.coo_matrix(
        (np.repeat([-1.0, 1.0], count), (np.tile(np.arange(count), 2), pairs.T.ravel())), shape=(count, mask.size)
    ).tocsc()
    free = mask.ravel()
    known = np.where(free, 0.0, np.nan_to_num(depth.ravel()))
    inner = across[:, free]
    # pixels without any known neighbour are decided by this alone
    pull = OLD_DEPTH_WEIGHT * sp.identity(int(free.sum()), format="csc")
    old = np.nan_to_num(depth.ravel()[free])
    solved = spsolve((inner.T @ inner + pull).tocsc(), inner.T @ (steps - across @ known) + OLD_DEPTH_WEIGHT * old)
    filled = depth.astype(float).ravel().copy()
    filled[free] = solved
    return filled.reshape(depth.shape)
