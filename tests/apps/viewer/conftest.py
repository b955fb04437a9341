"""A completion to show, and pages without a browser."""

import tempfile
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from facecom.apps.viewer.session.face_jobs import SharedModel
from facecom.completion import Completion, complete
from facecom.geometry.mesh import Mesh
from facecom.geometry.transform import Similarity, rotation_from_vector
from facecom.model.linear.generator import LinearGenerator

POSE = Similarity(rotation_from_vector(np.array([0.3, -0.8, 0.2])), np.array([40.0, -7.0, 30.0]))


@pytest.fixture(scope="session")
def small_model(leading_model) -> LinearGenerator:
    """The shipped model, cut so that it is quick to fit."""
    return leading_model(80, 60)


@pytest.fixture(scope="session")
def shared(small_model, tmp_path_factory) -> SharedModel:
    """The model with a folder for child processes."""
    folder = tmp_path_factory.mktemp("model")
    small_model.save(folder)
    return SharedModel(small_model, str(folder))


@pytest.fixture
def nothing_stays(tmp_path, monkeypatch) -> Iterator[None]:
    """No temporary file is left when a test is over."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="session")
def pose() -> Similarity:
    """Face frame -> where the scan lies."""
    return POSE


@pytest.fixture(scope="session")
def scan(small_model) -> Mesh:
    """A drawn face without its nose, in a pose of its own, mm."""
    face = small_model.sample(4, level=2)
    x, y, z = face.vertices.T
    lost = (np.hypot(x, 0.8 * (y - 8)) < 24) | (z < -75) | (y < -85)
    kept = face.submesh(~lost[face.faces].any(axis=1))[0]
    return Mesh(POSE.apply(kept.vertices), kept.faces)


@pytest.fixture(scope="session")
def completion(small_model, scan) -> Completion:
    """The scan completed; points shorten the search."""
    face = small_model.sample(4, level=2)
    names = ("left_exocanthion", "right_exocanthion", "left_cheilion", "right_cheilion", "gnathion")
    points = {n: POSE.apply(face.vertices[small_model.template.landmark_index(n)]) for n in names}
    return complete(scan, unit="mm", landmarks=points, model=small_model)


class FakeHandle:
    """A control, node or light of viser: it keeps what is set, and calls back when the test fires an event."""

    def __init__(self, **values: Any) -> None:
        self.visible, self.removed, self.callbacks = True, False, []
        self.__dict__.update(values)

    def __enter__(self) -> "FakeHandle":
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def on(self, callback: Callable[[Any], Any]) -> None:
        self.callbacks.append(callback)

    on_click = on_update = on_upload = on

    def fire(self, event: Any = None) -> None:
        for callback in self.callbacks:
            callback(event)

    def on_drag(self, button: str) -> Callable[[Callable[[Any], Any]], None]:
        return self.on

    def remove_drag_callback(self, which: str) -> None:
        self.callbacks.clear()

    def remove(self) -> None:
        self.removed = True


class FakeGui:
    """The controls of a page."""

    def __init__(self) -> None:
        self.main_panel = SimpleNamespace(dock_right=lambda: None)

    def configure_theme(self, **options: Any) -> None:
        pass

    def add_folder(self, label: str, **options: Any) -> FakeHandle:
        return FakeHandle(label=label, **options)

    def add_markdown(self, content: str, **options: Any) -> FakeHandle:
        return FakeHandle(content=content, **options)

    def add_progress_bar(self, value: float, **options: Any) -> FakeHandle:
        return FakeHandle(value=value, **options)

    def add_button(self, label: str, **options: Any) -> FakeHandle:
        return FakeHandle(label=label, **options)

    add_upload_button = add_button

    def add_dropdown(self, label: str, options: tuple[str, ...], **more: Any) -> FakeHandle:
        return FakeHandle(label=label, options=options, value=options[0], **more)

    def add_slider(self, label: str, *, initial_value: float, **options: Any) -> FakeHandle:
        return FakeHandle(label=label, value=initial_value, **options)

    def add_number(self, label: str, value: float, **options: Any) -> FakeHandle:
        return FakeHandle(label=label, value=value, **options)

    add_checkbox = add_text = add_number


class FakeClient:
    """viser's handle of a page: `nodes` holds what is shown by name, `sent` how many meshes were sent."""

    def __init__(self, client_id: int = 1) -> None:
        self.client_id, self.gui, self.files = client_id, FakeGui(), []
        self.nodes: dict[str, FakeHandle] = {}
        self.sent = 0
        self.handles: list[FakeHandle] = []
        self.camera = SimpleNamespace(wxyz=(1.0, 0.0, 0.0, 0.0), position=(0.0, 0.0, 300.0), fov=1.0, aspect=1.5)
        self.scene = SimpleNamespace(
            configure_default_lights=lambda **options: None,
            configure_environment_map=lambda **options: None,
            add_light_ambient=lambda name, **options: None,
            add_light_directional=lambda name, **options: None,
            add_glb=self._add_glb,
            add_transform_controls=self._add_handle,
        )

    def atomic(self) -> FakeHandle:
        return FakeHandle()

    def send_file_download(self, name: str, data: bytes, **options: Any) -> None:
        self.files.append((name, data))

    @property
    def shown(self) -> set[str]:
        return {name.removeprefix("/shown/") for name, node in self.nodes.items() if not node.removed}

    def _add_glb(self, name: str, data: bytes, **options: Any) -> FakeHandle:
        self.sent += 1
        self.nodes[name] = FakeHandle(data=data)
        return self.nodes[name]

    def _add_handle(self, name: str, **options: Any) -> FakeHandle:
        self.handles.append(FakeHandle(**options))
        return self.handles[-1]


@pytest.fixture
def client() -> FakeClient:
    """A page without a browser."""
    return FakeClient()


@pytest.fixture
def new_client() -> Callable[[int], FakeClient]:
    """Factory of further pages, by number."""
    return FakeClient
