"""A page's scene: surfaces, lights, camera and the handle of a landmark; sends what has changed, and nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np

from facecom.apps.viewer.scene.brush import Eye
from facecom.apps.viewer.scene.scene import Painted, PaintedScene
from facecom.geometry.mesh import Floats
from facecom.geometry.transform import rotation_from_vector

DISTANCE_MM = 320.0
"""From where a page looks at the middle of what is shown."""
HANDLE = "/handle"
STROKE = "stroke"
"""A stroke that is being painted: it changes under the pointer, and a node that is replaced loses its drag."""


def set_the_scene(server: Any) -> None:
    """How every page begins: y up, and the middle seen from the front."""
    server.scene.set_up_direction("+y")
    server.initial_camera.up = (0.0, 1.0, 0.0)
    server.initial_camera.position = (0.0, 0.0, DISTANCE_MM)
    server.initial_camera.look_at = (0.0, 0.0, 0.0)


class ViserScene:
    """The scene of one page.

    Parameters
    ----------
    client : viser's handle of the page
    """

    def __init__(self, client: Any) -> None:
        self._client, self._nodes = client, {}  # type: Any, dict[str, tuple[bytes, Any]]
        self._on_drag: Callable[[Any], Any] | None = None
        self._handle: Any = None
        scene = client.scene
        scene.configure_default_lights(enabled=False)
        scene.configure_environment_map(hdri=None)
        scene.add_light_ambient("/light/all", intensity=0.9)
        for name, turn, strength in (("key", (-0.5, 0.6, 0.0), 2.2), ("fill", (-0.1, -0.9, 0.0), 0.9)):
            place = 1000.0 * rotation_from_vector(np.array(turn)) @ [0.0, 0.0, 1.0]
            scene.add_light_directional(f"/light/{name}", intensity=strength, position=tuple(place))

    def show(self, view: PaintedScene) -> None:
        """Show these surfaces and no others."""
        with self._client.atomic():
            for name in set(self._nodes) - set(view.surfaces):
                self._nodes.pop(name)[1].remove()
            for name, painted in view.surfaces.items():
                self.put(name, painted)

    def put(self, name: str, painted: Painted) -> None:
        """Show one surface under its name, in place of the one before."""
        data = painted.glb()
        digest = hashlib.sha256(data).digest()
        if self._nodes.get(name, (b"",))[0] == digest:
            return
        node = self._client.scene.add_glb(f"/shown/{name}", data, cast_shadow=False, receive_shadow=False)
        self._nodes[name] = (digest, node)
        if name != STROKE and self._on_drag is not None:
            node.on_drag("left")(self._on_drag)

    def paint_with(self, on_drag: Callable[[Any], Any] | None) -> None:
        """Tell of the pointer being dragged over what is shown, which no longer turns the view; None ends it."""
        self._on_drag = on_drag
        for _, node in self._nodes.values():
            node.remove_drag_callback("all")
            if on_drag is not None:
                node.on_drag("left")(on_drag)

    def look_from_front(self) -> None:
        """Look at the middle of what is shown from the front."""
        camera = self._client.camera
        with self._client.atomic():
            camera.up_direction = (0.0, 1.0, 0.0)
            camera.position = (0.0, 0.0, DISTANCE_MM)
            camera.look_at = (0.0, 0.0, 0.0)

    def eye(self) -> Eye:
        """From where the page looks."""
        camera = self._client.camera
        w, x, y, z = np.asarray(camera.wxyz, float)
        length = np.linalg.norm([x, y, z])
        turn = np.zeros(3) if length < 1e-12 else 2.0 * np.arctan2(length, w) * np.array([x, y, z]) / length
        return Eye(
            np.array(camera.position, float), rotation_from_vector(turn), float(camera.fov), float(camera.aspect)
        )

    def hold(self, place: Floats | None, on_update: Callable[[Any], Any]) -> None:
        """A handle to drag a landmark by, at a place; None takes it away."""
        if self._handle is not None:
            self._handle.remove()
            self._handle = None
        if place is None:
            return
        self._handle = self._client.scene.add_transform_controls(
            HANDLE, scale=35.0, disable_rotations=True, depth_test=False, position=tuple(place), line_width=4.0
        )
        self._handle.on_update(on_update)
