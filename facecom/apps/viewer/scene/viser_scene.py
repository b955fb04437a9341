"""The scene of a page in viser: meshes, lights, camera and the handle of a landmark; only changes are sent."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np

from facecom.apps.viewer.scene.brush import ViewerCamera
from facecom.apps.viewer.scene.painted_mesh import PaintedMesh, PaintedScene
from facecom.geometry.mesh import Floats
from facecom.geometry.transform import rotation_from_vector

CAMERA_DISTANCE_MM = 320.0
"""Distance of the first view from the origin."""
AMBIENT_INTENSITY, LIGHT_DISTANCE_MM = 0.9, 1000.0
LIGHTS = (("key", (-0.5, 0.6, 0.0), 2.2), ("fill", (-0.1, -0.9, 0.0), 0.9))
"""Directional lights: name, rotation vector that takes the z axis to the light, intensity."""
LANDMARK_HANDLE, HANDLE_SIZE_MM, HANDLE_LINE_WIDTH = "/handle", 35.0, 4.0
STROKE_NODE = "stroke"
"""The preview of a stroke. It has no drag callback: it is replaced under the pointer, which would end the drag."""


def configure_initial_view(server: Any) -> None:
    """Let every page begin with y up and the origin seen from the front."""
    server.scene.set_up_direction("+y")
    server.initial_camera.up = (0.0, 1.0, 0.0)
    server.initial_camera.position = (0.0, 0.0, CAMERA_DISTANCE_MM)
    server.initial_camera.look_at = (0.0, 0.0, 0.0)


class ViserScene:
    """The scene of one page.

    Parameters
    ----------
    client : viser's handle of the page
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._nodes: dict[str, tuple[bytes, Any]] = {}
        self._on_drag: Callable[[Any], Any] | None = None
        self._handle: Any = None
        scene = client.scene
        scene.configure_default_lights(enabled=False)
        scene.configure_environment_map(hdri=None)
        scene.add_light_ambient("/light/all", intensity=AMBIENT_INTENSITY)
        for name, rotation, intensity in LIGHTS:
            position = LIGHT_DISTANCE_MM * rotation_from_vector(np.array(rotation)) @ [0.0, 0.0, 1.0]
            scene.add_light_directional(f"/light/{name}", intensity=intensity, position=tuple(position))

    def show(self, scene: PaintedScene) -> None:
        """Show these meshes and no others."""
        with self._client.atomic():
            for name in set(self._nodes) - set(scene.meshes):
                self._nodes.pop(name)[1].remove()
            for name, mesh in scene.meshes.items():
                self.show_mesh(name, mesh)

    def show_mesh(self, name: str, mesh: PaintedMesh) -> None:
        """Show one mesh under a name, in place of the one before."""
        data = mesh.glb()
        digest = hashlib.sha256(data).digest()
        if self._nodes.get(name, (b"",))[0] == digest:
            return
        node = self._client.scene.add_glb(f"/shown/{name}", data, cast_shadow=False, receive_shadow=False)
        self._nodes[name] = (digest, node)
        if name != STROKE_NODE and self._on_drag is not None:
            node.on_drag("left")(self._on_drag)

    def set_drag_callback(self, on_drag: Callable[[Any], Any] | None) -> None:
        """Call back while the pointer is dragged over a mesh, which then does not rotate the view; None ends it."""
        self._on_drag = on_drag
        for _, node in self._nodes.values():
            node.remove_drag_callback("all")
            if on_drag is not None:
                node.on_drag("left")(on_drag)

    def look_from_front(self) -> None:
        """Look at the origin from the front."""
        camera = self._client.camera
        with self._client.atomic():
            camera.up_direction = (0.0, 1.0, 0.0)
            camera.position = (0.0, 0.0, CAMERA_DISTANCE_MM)
            camera.look_at = (0.0, 0.0, 0.0)

    def camera(self) -> ViewerCamera:
        """The page's camera."""
        camera = self._client.camera
        w, x, y, z = np.asarray(camera.wxyz, float)
        length = np.linalg.norm([x, y, z])
        vector = np.zeros(3) if length < 1e-12 else 2.0 * np.arctan2(length, w) * np.array([x, y, z]) / length
        position = np.array(camera.position, float)
        return ViewerCamera(position, rotation_from_vector(vector), float(camera.fov), float(camera.aspect))

    def show_handle(self, position: Floats | None, on_update: Callable[[Any], Any]) -> None:
        """Show the handle with which a landmark is dragged, at a position (3,); None removes it."""
        if self._handle is not None:
            self._handle.remove()
            self._handle = None
        if position is None:
            return
        self._handle = self._client.scene.add_transform_controls(
            LANDMARK_HANDLE,
            scale=HANDLE_SIZE_MM,
            disable_rotations=True,
            depth_test=False,
            position=tuple(position),
            line_width=HANDLE_LINE_WIDTH,
        )
        self._handle.on_update(on_update)
