import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facecom.geometry.transform import Similarity, fit_similarity, orthonormal, rotation_from_vector

SEEDS = st.integers(0, 10_000)


def some_similarity(rng: np.random.Generator) -> Similarity:
    return Similarity(
        rotation_from_vector(rng.normal(size=3) * 2), rng.normal(size=3) * 100, float(rng.uniform(0.1, 9))
    )


def assert_same(a: Similarity, b: Similarity) -> None:
    np.testing.assert_allclose(a.matrix(), b.matrix(), rtol=1e-9, atol=1e-9)


@given(SEEDS)
def test_similarities_are_a_group(seed):
    rng = np.random.default_rng(seed)
    a, b, c = (some_similarity(rng) for _ in range(3))
    assert_same((a @ b) @ c, a @ (b @ c))
    assert_same(a @ Similarity(), a)
    assert_same(Similarity() @ a, a)
    assert_same(a @ a.inverse(), Similarity())
    assert_same(a.inverse() @ a, Similarity())


@given(SEEDS)
def test_composition_is_application_in_turn(seed):
    rng = np.random.default_rng(seed)
    a, b, points = some_similarity(rng), some_similarity(rng), rng.normal(size=(4, 5, 3))
    np.testing.assert_allclose((a @ b).apply(points), a.apply(b.apply(points)), atol=1e-9)


@given(SEEDS)
def test_apply_is_the_matrix_on_column_vectors(seed):
    rng = np.random.default_rng(seed)
    a, point = some_similarity(rng), rng.normal(size=3)
    np.testing.assert_allclose(a.apply(point), (a.matrix() @ [*point, 1])[:3], atol=1e-9)
    np.testing.assert_allclose(a.apply(point), a.scale * a.rotation @ point + a.translation, atol=1e-9)


@given(SEEDS)
def test_directions_keep_their_length(seed):
    rng = np.random.default_rng(seed)
    a, direction = some_similarity(rng), rng.normal(size=(6, 3))
    np.testing.assert_allclose(
        np.linalg.norm(a.rotate(direction), axis=1), np.linalg.norm(direction, axis=1), rtol=1e-9
    )
    gap = a.apply(direction) - a.apply(np.zeros(3))
    np.testing.assert_allclose(a.rotate(direction) * a.scale, gap, atol=1e-9)


@given(SEEDS)
def test_rotation_vectors_turn_by_their_length_about_themselves(seed):
    rng = np.random.default_rng(seed)
    axis = rng.normal(size=3)
    axis /= np.linalg.norm(axis)
    angle = rng.uniform(0, np.pi)
    rotation = rotation_from_vector(angle * axis)
    np.testing.assert_allclose(rotation @ axis, axis, atol=1e-12)
    assert np.trace(rotation) == pytest.approx(1 + 2 * np.cos(angle), abs=1e-12)
    np.testing.assert_allclose(rotation @ rotation_from_vector(-angle * axis), np.eye(3), atol=1e-12)


def test_a_quarter_turn_about_z_takes_x_to_y():
    np.testing.assert_allclose(rotation_from_vector([0, 0, np.pi / 2]) @ [1, 0, 0], [0, 1, 0], atol=1e-15)
    np.testing.assert_allclose(rotation_from_vector([0, 0, 1e-13]), np.eye(3), atol=1e-12)


@given(SEEDS)
def test_orthonormal_is_proper_and_leaves_rotations(seed):
    rng = np.random.default_rng(seed)
    nearest = orthonormal(rng.normal(size=(3, 3)))
    np.testing.assert_allclose(nearest @ nearest.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(nearest) == pytest.approx(1)
    np.testing.assert_allclose(orthonormal(nearest), nearest, atol=1e-9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rotation": np.diag([1.0, 1, -1])}, "determinant"),
        ({"rotation": 2 * np.eye(3)}, "orthonormal"),
        ({"rotation": np.full((3, 3), np.nan)}, "orthonormal"),
        ({"rotation": np.eye(3)[:2]}, r"\(3, 3\)"),
        ({"translation": np.zeros(2)}, r"\(3,\)"),
        ({"translation": [0, np.nan, 0]}, "finite"),
        ({"scale": 0.0}, "positive"),
        ({"scale": -1.0}, "positive"),
        ({"scale": np.nan}, "positive"),
    ],
)
def test_what_is_not_a_similarity_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Similarity(**arguments)


@given(SEEDS, st.booleans())
def test_a_fit_finds_the_transform_that_made_the_points(seed, with_scale):
    rng = np.random.default_rng(seed)
    true = some_similarity(rng)
    if not with_scale:
        true = Similarity(true.rotation, true.translation)
    source = rng.normal(size=(12, 3)) * 40
    fitted = fit_similarity(source, true.apply(source), weights=rng.uniform(0.1, 1, 12), with_scale=with_scale)
    np.testing.assert_allclose(fitted.apply(source), true.apply(source), atol=1e-6)
    assert with_scale or fitted.scale == 1.0


@given(SEEDS)
def test_no_small_change_improves_a_weighted_fit(seed):
    rng = np.random.default_rng(seed)
    source, noise = rng.normal(size=(9, 3)) * 30, rng.normal(size=(9, 3)) * 5
    target, weights = some_similarity(rng).apply(source) + noise, rng.uniform(0, 1, 9)
    fitted = fit_similarity(source, target, weights=weights, with_scale=True)

    def cost(transform: Similarity) -> float:
        return float(weights @ np.sum((transform.apply(source) - target) ** 2, axis=1))

    for _ in range(20):
        turn = rotation_from_vector(rng.normal(size=3) * 1e-3) @ fitted.rotation
        near = Similarity(
            turn, fitted.translation + rng.normal(size=3) * 0.05, fitted.scale * rng.uniform(0.999, 1.001)
        )
        assert cost(fitted) <= cost(near) + 1e-9


def test_points_of_weight_zero_have_no_say():
    rng = np.random.default_rng(0)
    source, move = rng.normal(size=(8, 3)), Similarity(rotation_from_vector([0.3, 0, 1]), [5, 6, 7])
    target = move.apply(source)
    target[0] += 100
    weights = np.ones(8)
    weights[0] = 0
    assert_same(fit_similarity(source, target, weights=weights), move)


def test_a_mirrored_target_still_gets_a_proper_rotation():
    source = np.random.default_rng(0).normal(size=(20, 3))
    assert np.linalg.det(fit_similarity(source, source * [-1, 1, 1]).rotation) == pytest.approx(1)


@pytest.mark.parametrize(
    ("source", "target", "weights", "message"),
    [
        (np.eye(3)[:2], np.eye(3)[:2], None, "point sets"),
        (np.eye(3), np.eye(3)[:2], None, "point sets"),
        (np.eye(3), np.eye(3), np.zeros(3), "weights"),
        (np.eye(3), np.eye(3), [1, 1, -1], "weights"),
        (np.eye(3), np.eye(3), [1, 1], "weights"),
    ],
)
def test_a_fit_without_enough_evidence_is_refused(source, target, weights, message):
    with pytest.raises(ValueError, match=message):
        fit_similarity(source, target, weights=weights)
