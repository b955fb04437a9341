"""Orthographic and pinhole cameras in the face frame, and the named views that guidance uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike

from facecom.geometry.mesh import Floats, read_only

VIEW_ANGLES_RAD: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "front": (0.0, 0.0),
        "left": (0.7, 0.0),
        "right": (-0.7, 0.0),
        "below": (0.0, -0.6),
    }
)
"""Yaw towards the subject's left and pitch upwards of where the viewer stands, radians."""


@dataclass(frozen=True, eq=False)
class Camera:
    """An orthographic or a pinhole camera.

    Parameters
    ----------
    axes : (3, 3) float, rows image right, image up and towards the viewer, in the face frame
    eye : (3,) float, mm, face frame; the middle of the image looks along `-axes[2]` from here
    height, width : int, pixels
    scale : float, pixels for each mm (orthographic) or focal length in pixels (pinhole)
    perspective : bool, whether it is a pinhole camera

    Raises
    ------
    ValueError
        When the axes are no right-handed frame, the eye is not finite, or size or scale are not positive.

    Examples
    --------
    >>> camera = Camera.orthographic(target=[0, 0, 0], half_mm=50, size=100)
    >>> pixel, depth = camera.project([[0, 0, 0]])
    >>> pixel.tolist(), depth.tolist()
    ([[50.0, 50.0]], [500.0])
    """

    axes: Floats
    eye: Floats
    height: int
    width: int
    scale: float
    perspective: bool

    def __post_init__(self) -> None:
        axes, eye = read_only(self.axes, np.float64, 3), read_only(self.eye, np.float64)
        if axes.shape != (3, 3) or not np.allclose(axes @ axes.T, np.eye(3), atol=1e-8) or np.linalg.det(axes) < 0:
            raise ValueError("a camera's axes must be three orthonormal rows: right, up, towards the viewer")
        if eye.shape != (3,) or not np.isfinite(eye).all():
            raise ValueError(f"a camera's eye must be a finite point (3,), got {self.eye}")
        if self.height < 1 or self.width < 1 or not 0 < self.scale < np.inf:
            raise ValueError(f"size and scale must be positive, got {self.height} x {self.width}, {self.scale}")
        object.__setattr__(self, "axes", axes)
        object.__setattr__(self, "eye", eye)

    @classmethod
    def orthographic(
        cls,
        *,
        target: ArrayLike,
        half_mm: float,
        size: int,
        yaw: float = 0.0,
        pitch: float = 0.0,
        distance_mm: float = 500.0,
    ) -> Camera:
        """A camera whose square image shows `2 half_mm` a side with `target` in the middle."""
        axes = view_axes(yaw, pitch)
        return cls(axes, np.asarray(target, float) + distance_mm * axes[2], size, size, size / (2 * half_mm), False)

    @classmethod
    def pinhole(
        cls,
        *,
        target: ArrayLike,
        distance_mm: float,
        field_of_view: float,
        size: int,
        yaw: float = 0.0,
        pitch: float = 0.0,
    ) -> Camera:
        """A camera with a square image from `distance_mm` away; `field_of_view` is the full angle, radians."""
        axes = view_axes(yaw, pitch)
        focal = size / (2 * np.tan(field_of_view / 2))
        return cls(axes, np.asarray(target, float) + distance_mm * axes[2], size, size, float(focal), True)

    def mirrored(self) -> Camera:
        """The camera on the other side of the plane x = 0: its images of a symmetric face are these, flipped.

        Examples
        --------
        >>> camera = Camera.orthographic(target=[0, 0, 0], half_mm=50, size=100, yaw=0.7)
        >>> np.allclose(camera.mirrored().axes, view_axes(-0.7, 0.0))
        True
        """
        flip = np.array([-1.0, 1.0, 1.0])
        axes = self.axes * flip
        axes[0] *= -1
        return replace(self, axes=axes, eye=self.eye * flip)

    def rays(self) -> tuple[Floats, Floats]:
        """Origins and directions of the pixels' rays, (height, width, 3) each; one step along them is 1 mm deep."""
        u = (np.arange(self.width) + 0.5 - self.width / 2) / self.scale
        v = (self.height / 2 - np.arange(self.height) - 0.5) / self.scale
        x, y = np.meshgrid(u, v)
        sideways = x[..., None] * self.axes[0] + y[..., None] * self.axes[1]
        if self.perspective:
            return np.broadcast_to(self.eye, sideways.shape), sideways - self.axes[2]
        return self.eye + sideways, np.broadcast_to(-self.axes[2], sideways.shape)

    def project(self, points: ArrayLike) -> tuple[Floats, Floats]:
        """Pixel coordinates (N, 2), column then row with the corner of the image at 0, and depth (N,), mm."""
        local = (np.asarray(points, float) - self.eye) @ self.axes.T
        depth = -local[..., 2]
        scale = self.scale / depth if self.perspective else np.full(depth.shape, self.scale)
        pixel = local[..., :2] * scale[..., None] * [1, -1] + [self.width / 2, self.height / 2]
        return pixel, depth

    def unproject(self, depth: ArrayLike) -> Floats:
        """Points (height, width, 3), mm, face frame, that lie at a depth image (height, width)."""
        image = np.asarray(depth, float)
        if image.shape != (self.height, self.width):
            raise ValueError(f"expected a depth image of {self.height} x {self.width}, got shape {image.shape}")
        origins, directions = self.rays()
        return origins + image[..., None] * directions


def view_axes(yaw: float, pitch: float) -> Floats:
    """Rows image right, image up, towards a viewer who stands at that yaw and pitch, (3, 3)."""
    towards = np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
    right = np.array([np.cos(yaw), 0.0, -np.sin(yaw)])
    return np.stack([right, np.cross(towards, right), towards])


def view_cameras(
    names: tuple[str, ...] = ("front", "left", "right", "below"),
    *,
    target: ArrayLike = (0.0, 5.0, -40.0),
    half_mm: float = 96.0,
    size: int = 96,
) -> dict[str, Camera]:
    """Orthographic cameras of the named views, around the middle of a face.

    Raises
    ------
    ValueError
        For an unknown view; the message lists the known ones.
    """
    unknown = [name for name in names if name not in VIEW_ANGLES_RAD]
    if unknown:
        raise ValueError(f"there is no view {unknown[0]!r}; known are {', '.join(VIEW_ANGLES_RAD)}")
    cameras = {}
    for name in names:
        yaw, pitch = VIEW_ANGLES_RAD[name]
        cameras[name] = Camera.orthographic(target=target, half_mm=half_mm, size=size, yaw=yaw, pitch=pitch)
    return cameras
