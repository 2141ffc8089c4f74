"""A small logistic regression with one hidden layer, fitted to labels whose mistakes are known."""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

HIDDEN, STEPS, LR, WEIGHT_DECAY = 24, 200, 0.02, 1e-3


def fit_regression(
    features: np.ndarray, kinds: np.ndarray, count: int, seed: int
) -> Callable[[np.ndarray], np.ndarray]:
    """Fit P(kind | features) by Adam on the cross entropy of all rows at once, and return it as a function.

    Args:
        features: float32 [K, F].
        kinds: int [K] in 0 .. count - 1.
        count: number of kinds.
        seed: of the first weights; the global random state is untouched.

    Returns:
        [K, F] to probabilities [K, count].
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would also change the state of GPUs
        model = nn.Sequential(nn.Linear(features.shape[1], HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, count))
    inputs, targets = torch.from_numpy(features), torch.from_numpy(kinds.astype(np.int64))
    optimizer = torch.optim.Adam(model.parameters(), LR, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    with torch.enable_grad():
        for _ in range(STEPS):
            loss = nn.functional.cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()

    @torch.no_grad()
    def predict(rows: np.ndarray) -> np.ndarray:
        return model(torch.from_numpy(rows)).softmax(dim=-1).numpy()

    return predict
