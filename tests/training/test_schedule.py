"""The learning rate warms up, falls to its last share, and the running average follows the weights."""

import numpy as np
import pytest
import torch

from training.schedule import AVERAGE_DECAY, LAST_SHARE, learning_rate, update_average


def test_the_rate_rises_over_the_warm_up_and_then_only_falls():
    rising = [learning_rate(2.0, share=0.0, step=k, warmup=10) for k in range(12)]
    np.testing.assert_allclose(rising[:10], 2.0 * np.arange(1, 11) / 10)
    assert rising[9] == rising[11] == pytest.approx(2.0)
    falling = [learning_rate(2.0, share=s, step=99, warmup=10) for s in np.linspace(0, 1, 9)]
    assert np.all(np.diff(falling) < 0)
    assert falling[-1] == pytest.approx(2.0 * LAST_SHARE)


@pytest.mark.parametrize(("step", "share"), [(0, 0.1), (8, 0.5), (10**6, AVERAGE_DECAY)])
def test_the_average_forgets_faster_at_first(step, share):
    averaged, now = [torch.ones(3), torch.tensor([5])], [torch.zeros(3), torch.tensor([7])]
    update_average(averaged, now, step=step)
    np.testing.assert_allclose(averaged[0].numpy(), share, rtol=1e-6)
    assert averaged[1].item() == 7
    with pytest.raises(ValueError, match="zip"):
        update_average(averaged, now[:1], step=0)
