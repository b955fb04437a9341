from dataclasses import replace

import numpy as np
import pytest

from facecom.completion import COMPLETION, Completion, GuidanceRecord, complete
from facecom.completion.guidance import apply_guidance
from facecom.geometry.mesh import Mesh, vertex_normals
from facecom.geometry.transform import Similarity, rotation_from_vector
from facecom.guidance.camera import Camera
from facecom.guidance.guide import Guidance, GuidedView
from facecom.guidance.inpainting import InpaintedView
from facecom.guidance.rendering import render
from facecom.guidance.targets import Observations
from facecom.model.linear.generator import LinearGenerator
from facecom.report.ablation import Ablation, VariantResult
from facecom.report.ablation_variants import ABLATION_VARIANTS
from facecom.report.display_data import DisplayData


@pytest.fixture(scope="session")
def small_model(leading_model) -> LinearGenerator:
    """The shipped model, cut so that it is quick to fit."""
    return leading_model(100, 80)


@pytest.fixture(scope="session")
def completion(small_model) -> Completion:
    """A drawn face without its left cheek, in a pose and unit of its own, completed; points shorten the search."""
    model = small_model
    face = model.sample(4, level=2)
    x, y, z = face.vertices.T
    hole = (np.hypot(x - 45, y + 15) < 16) & (z > -80)
    kept = face.submesh(~(hole | (z < -75) | (y < -85))[face.faces].any(1))[0]
    pose = Similarity(rotation_from_vector(np.array([0.3, -0.8, 0.2])), np.array([4.0, -7.0, 30.0]), scale=0.1)
    scan = Mesh(pose.apply(kept.vertices), kept.faces)
    names = ("left_exocanthion", "right_exocanthion", "left_cheilion", "right_cheilion", "nasion")
    points = {name: pose.apply(face.vertices[model.template.landmark_index(name)]) for name in names}
    return complete(scan, unit="cm", landmarks=points, model=model)


@pytest.fixture(scope="session")
def guided(completion) -> Completion:
    """The same completion after a picture has said that the missing cheek stands out 3 mm farther."""
    own = completion.context
    template, before = own.template, own.fit
    face = Mesh(own.model.decode(before.code, level=2), template.faces[2])
    x, y, z = template.vertices[: len(face.vertices)].T
    lost = (np.hypot(x - 45, y + 15) < 12) & (z > -80)
    corners = face.faces[lost[face.faces].all(axis=1)]
    normals = vertex_normals(face.vertices, face.faces)[corners[:, 0]]
    points = face.vertices[corners].mean(axis=1) + 3.0 * normals
    thirds = np.full((len(corners), 3), 1 / 3)
    said = Observations(corners, thirds, points, normals, np.full(len(corners), 0.3))
    shown = render(face, Camera.orthographic(target=[0, 0, -40], half_mm=85, size=32))
    hole = np.zeros((32, 32), bool)
    hole[16:20, 22:26] = True
    painted = InpaintedView(shown.depth, shown.normals, np.where(hole, 1.0, 0.0), hole)
    found = Guidance(said, (GuidedView("front", shown, shown, None, painted, hole),), {"nose": 0.5})
    fitted = apply_guidance(before, own.model, found)
    state = replace(own.state, fit=fitted, guidance=GuidanceRecord("shipped", found, before))
    state = COMPLETION.starting_at("enter face frame").run(state)
    report = replace(completion.report, guidance_mm={"skin": 1.0})
    return Completion.from_state(replace(state, report=report))


@pytest.fixture(scope="session")
def data(completion) -> DisplayData:
    """The completion for display."""
    return DisplayData(completion)


@pytest.fixture(scope="session")
def ablation(data) -> Ablation:
    """An ablation with given values, without any run: the k-th variant moves the face by k mm, and errors grow."""
    results = [
        VariantResult(
            variant=variant,
            vertices=data.face.vertices + [0.0, 0.0, float(k)],
            change_mm={"all": 1.111 * k, "nose": 1.222 * k},
            to_scan_mm={"all": 0.107 + 0.1 * k, "nose": 0.203 + 0.1 * k},
            held_out_mm=0.511 + 0.1 * k,
            rim_step_mm=0.319 + 0.1 * k,
            seconds=1.0,
        )
        for k, variant in enumerate(ABLATION_VARIANTS)
    ]
    return Ablation(data, tuple(results), data.observed, 18.0)
