"""Single steps of the fit, and terms that a caller adds to it."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from facecom.fitting.fit import fit, iterate_fit
from facecom.fitting.newton import FitProblem, newton_steps
from facecom.fitting.posterior import motion_jacobian
from facecom.fitting.terms import landmark_rows
from facecom.geometry.correspondence import OrientedSurface
from facecom.geometry.transform import Similarity


class Attraction:
    """All vertices towards given ones, (V, 3)."""

    def __init__(self, target, *, sigma_mm):
        self.target, self.sigma_mm = target, sigma_mm

    def __call__(self, vertices, jacobian, *, pose, level):
        rows = np.concatenate([jacobian.reshape(len(vertices), 3, -1), motion_jacobian(vertices)], axis=2)
        residuals = (self.target - vertices).ravel()
        return rows.reshape(len(residuals), -1), residuals, np.full(len(residuals), self.sigma_mm**-2)


class Layers:
    """A shape twice: as it is, and moved along z, as what lies over a hole comes to lie over the skin beside it."""

    def __init__(self, dome, *, gap_mm):
        self.dome, self.code_size, self.gap_mm = dome, dome.code_size, gap_mm

    def faces(self, level):
        below = self.dome.faces(level)
        return np.concatenate([below, below + below.max() + 1])

    def decode(self, code, *, level):
        below = self.dome.decode(code, level=level)
        return np.concatenate([below, below + [0.0, 0.0, self.gap_mm]])

    def jacobian(self, code, *, level):
        return np.tile(self.dome.jacobian(code, level=level), (2, 1))


@pytest.fixture(scope="module")
def scan(dome_scan):
    return OrientedSurface(dome_scan())


def with_terms(settings, *terms):
    return replace(settings, extra_terms=terms)


def test_an_extra_term_moves_the_fit_to_its_own_solution(dome, scan, dome_settings, dome_code):
    """A term far surer than the scan: the code is the term's, not that of the scanned shape."""
    other = np.array([-0.6, 0.3, 1.2])
    term = Attraction(dome.decode(other, level=0), sigma_mm=1e-4)
    found = fit(scan, dome, Similarity(), settings=with_terms(dome_settings, term))
    np.testing.assert_allclose(found.code, other, atol=1e-4)
    np.testing.assert_allclose(found.vertices, term.target, atol=1e-3)
    plain = fit(scan, dome, Similarity(), settings=dome_settings)
    np.testing.assert_allclose(plain.code, dome_code, atol=0.05)


def test_a_term_between_prior_and_scan_adds_to_the_normal_equations(dome, scan, dome_settings):
    term = Attraction(dome.decode(np.ones(3), level=0), sigma_mm=2.0)
    plain, added = (
        next(iterate_fit(scan, dome, Similarity(), settings=with_terms(dome_settings, *terms)))
        for terms in ((), (term,))
    )
    rows, residuals, weights = term(
        dome.decode(np.zeros(3), level=0), dome.jacobian(np.zeros(3), level=0), pose=Similarity(), level=0
    )
    np.testing.assert_allclose(added.precision - plain.precision, (rows.T * weights) @ rows, rtol=1e-9, atol=1e-6)
    assert added.terms["cost"] - plain.terms["cost"] == pytest.approx(weights @ residuals**2)


def test_a_term_in_the_frame_of_the_scan_does_what_landmarks_do(dome, dome_scan, scan, dome_settings):
    names = {"a": 45, "b": 700, "c": 1200}
    points = np.array([dome_scan().vertices[k] for k in names.values()]) + [1.0, -2.0, 0.5]

    def landmarks(vertices, jacobian, *, pose, level):
        rows, residuals = landmark_rows(pose.apply(points), vertices, jacobian, pick=np.array(list(names.values())))
        return rows, residuals, np.full(len(residuals), 0.5**-2)

    named = fit(
        scan,
        dome,
        Similarity(),
        settings=replace(dome_settings, landmark_sigma_mm=0.5),
        landmarks=dict(zip(names, points, strict=True)),
        landmark_vertices=names,
    )
    termed = fit(scan, dome, Similarity(), settings=with_terms(dome_settings, landmarks))
    np.testing.assert_allclose(termed.code, named.code, atol=1e-9)
    np.testing.assert_allclose(termed.pose.matrix(), named.pose.matrix(), atol=1e-9)


def test_a_term_is_asked_in_each_iteration_with_the_modes_and_level_of_its_stage(dome, scan, dome_settings):
    asked = []

    def spy(vertices, jacobian, *, pose, level):
        asked.append((vertices.shape, jacobian.shape, level))
        return np.zeros((0, jacobian.shape[1] + 6)), np.zeros(0), np.zeros(0)

    first = replace(dome_settings.stages[0], iterations=2, modes=2)
    settings = replace(dome_settings, stages=(first, dome_settings.stages[1]), extra_terms=(spy,))
    silent = fit(scan, dome, Similarity(), settings=settings)
    assert asked == 2 * [((1681, 3), (5043, 2), 0)] + 8 * [((1681, 3), (5043, 3), 0)]
    plain = fit(scan, dome, Similarity(), settings=replace(settings, extra_terms=()))
    np.testing.assert_array_equal(silent.code, plain.code)


@pytest.mark.parametrize(
    ("rows", "residuals", "weights", "message"),
    [
        (np.zeros((2, 8)), np.zeros(2), np.ones(2), r"rows \(n, 9\)"),
        (np.zeros((2, 9)), np.zeros(3), np.ones(3), r"got shapes \(2, 9\), \(3,\) and \(3,\)"),
        (np.zeros((2, 9)), np.zeros(2), np.ones(1), r"weights \(n,\)"),
        (np.full((2, 9), np.nan), np.zeros(2), np.ones(2), "finite"),
        (np.zeros((2, 9)), np.zeros(2), np.array([1.0, -1.0]), "not negative"),
    ],
)
def test_a_term_of_wrong_shapes_or_numbers_is_refused(dome, scan, dome_settings, rows, residuals, weights, message):
    def broken(vertices, jacobian, *, pose, level):
        return rows, residuals, weights

    with pytest.raises(ValueError, match=message):
        fit(scan, dome, Similarity(), settings=with_terms(dome_settings, broken))


def test_steps_of_a_stage_with_few_modes_leave_the_other_entries(dome, scan, dome_settings):
    stage = replace(dome_settings.stages[0], modes=1, iterations=3)
    problem = FitProblem(scan, dome, replace(dome_settings, stages=(stage,)))
    *_, (last, _, number) = newton_steps(problem, Similarity(), np.array([0.0, 0.25, -0.5]))
    assert number == 2
    assert last.code[0] != 0.0
    np.testing.assert_array_equal(last.code[1:], [0.25, -0.5])


def test_trusted_weights_of_zero_take_vertices_out(dome, dome_scan, dome_settings):
    """What is not trusted may lie anywhere."""
    clean = dome_scan()
    dented = clean.with_vertices(clean.vertices + 2.0 * (clean.vertices[:, :1] > 25.0))
    weights = (dome.decode(np.zeros(3), level=0)[:, 0] < 20.0).astype(float)
    one, two = (
        fit(OrientedSurface(mesh), dome, Similarity(), settings=dome_settings, weights=weights)
        for mesh in (clean, dented)
    )
    np.testing.assert_allclose(one.code, two.code, atol=1e-6)


def test_what_lies_over_skin_that_is_taken_pulls_at_nothing(dome, scan, dome_settings, dome_code, dome_pose):
    """A second layer over the first finds the same scan; only where it is not asked back does it count and pull."""
    layers, wide = Layers(dome, gap_mm=6.0), replace(dome_settings, stages=dome_settings.stages[:1])
    steps = []
    for reciprocal_mm in (1.0, np.inf):
        problem = FitProblem(scan, layers, replace(wide, reciprocal_mm=reciprocal_mm))
        steps.append(next(newton_steps(problem, dome_pose, dome_code))[0])
    asked, pulled = steps
    (below, above), (_, pulling) = (np.split(step.matched, 2) for step in steps)
    assert below.mean() > 0.8 and not above.any() and pulling.mean() > 0.1
    assert asked.terms["step_mm"] < 0.01 < 0.5 < pulled.terms["step_mm"]


def test_comparing_the_sides_adds_information_and_takes_none(dome, scan, dome_settings):
    """From the same start, the information with the mirror less that without it has no negative direction."""
    stage = replace(dome_settings.stages[0], iterations=1)
    once = replace(dome_settings, stages=(stage,))
    vertices = dome.decode(np.zeros(3), level=0)
    mirror = cKDTree(vertices[:, :2]).query(vertices[:, :2] * [-1.0, 1.0])[1]
    precisions = [
        next(newton_steps(FitProblem(scan, dome, once, mirror=sides), Similarity()))[0].precision
        for sides in (None, mirror)
    ]
    added = np.linalg.eigvalsh(precisions[1] - precisions[0])
    assert added.max() > 1.0
    assert added.min() > -1e-6 * added.max()


@pytest.mark.parametrize("factor", [0.9, 1.15])
def test_a_free_size_is_found_beside_code_and_pose(dome, dome_scan, dome_settings, dome_code, factor):
    """The dome has no mode of size: what the scan has of it can only be its unit's."""
    whole = dome_scan()
    larger = OrientedSurface(whole.with_vertices(whole.vertices * factor))
    problem = FitProblem(larger, dome, dome_settings, with_scale=True)
    *_, (last, _, _) = newton_steps(problem, Similarity(), np.zeros(3))
    assert last.pose.scale == pytest.approx(1 / factor, rel=5e-3)
    np.testing.assert_allclose(last.code, dome_code, atol=0.1)
    assert last.precision.shape == (3 + 1 + 6,) * 2


def test_without_it_the_pose_keeps_its_scale(dome, scan, dome_settings):
    *_, (last, _, _) = newton_steps(FitProblem(scan, dome, dome_settings), Similarity(), np.zeros(3))
    assert last.pose.scale == 1.0
