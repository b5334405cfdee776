"""Average-link agglomeration of a handful of stories: no matter in which order they came."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Links = npt.NDArray[np.float64]  # shape (n, n), symmetric: probability that two are of one event


def average_link(
    links: Links, threshold: float, sizes: npt.NDArray[np.float64] | None = None
) -> list[int]:
    """Return a group number for each of n stories, or of n groups of `sizes` stories.

    `links` holds, for groups, the sum over their pairs of stories.

    Joins the two groups with the highest mean link, again and again, while that mean is at least
    `threshold` (UPGMA; Sokal and Michener 1958). A chain of look-alikes cannot grow, as every
    member counts in the mean. Ties go to the earliest stories. O(n^2) memory, O(n^3) time at
    worst: for neighbourhoods of a few dozen.
    """
    count = len(links)
    sums = links.astype(np.float64).copy()
    sizes = np.ones(count) if sizes is None else sizes.copy()
    groups = [[at] for at in range(count)]
    alive = np.ones(count, bool)
    while alive.sum() > 1:
        means = sums / np.outer(sizes, sizes)
        np.fill_diagonal(means, -1.0)
        means[~alive] = means[:, ~alive] = -1.0
        best = int(np.argmax(means))
        one, two = divmod(best, count)
        if means[one, two] < threshold:
            break
        one, two = min(one, two), max(one, two)
        sums[one] += sums[two]
        sums[:, one] += sums[:, two]
        sizes[one] += sizes[two]
        groups[one] += groups[two]
        alive[two] = False
    labels = [0] * count
    for number, group in enumerate(groups[at] for at in range(count) if alive[at]):
        for member in group:
            labels[member] = number
    return labels
