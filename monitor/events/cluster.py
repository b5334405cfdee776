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
    sums = links.astype(np.float64)
    sizes = np.ones(count) if sizes is None else sizes.copy()
    groups: dict[int, list[int]] = {at: [at] for at in range(count)}
    means = sums / sizes[:, None] / sizes
    means.flat[:: count + 1] = -1.0
    while len(groups) > 1:
        one, two = divmod(int(means.argmax()), count)  # the first of equals, so one < two
        if means[one, two] < threshold:
            break
        sums[one] += sums[two]
        sums[:, one] = sums[one]
        sizes[one] += sizes[two]
        groups[one] += groups.pop(two)
        means[one] = sums[one] / (sizes[one] * sizes)
        means[one, [at for at in range(count) if at not in groups]] = -1.0
        means[one, one] = -1.0
        means[:, one] = means[one]
        means[two] = means[:, two] = -1.0
    labels = [0] * count
    for number, group in enumerate(groups.values()):
        for member in group:
            labels[member] = number
    return labels
