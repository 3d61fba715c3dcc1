"""Distances between two sets of drawings, in the features of a classifier."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

NEIGHBOURS = 3
"""k of Kynkäänniemi et al. 2019."""

_ROWS = 1024


def frechet_distance(first: Floats, second: Floats) -> float:
    """Squared Fréchet distance between normals fitted to two sets of features, (n, D) and (m, D).

    ``|mu1 - mu2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2))`` (Heusel et al. 2017, arXiv:1706.08500, eq. 6). It is biased
    upwards in small sets: compare only figures taken on sets of the same size.
    """
    mean = first.mean(axis=0) - second.mean(axis=0)
    one, two = np.atleast_2d(np.cov(first, rowvar=False)), np.atleast_2d(np.cov(second, rowvar=False))
    values, vectors = np.linalg.eigh(one)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    # tr (C1 C2)^(1/2) from the eigenvalues of the symmetric C1^(1/2) C2 C1^(1/2), which has the same ones
    shared = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ two @ root), 0.0)).sum()
    return float(max(mean @ mean + np.trace(one) + np.trace(two) - 2.0 * shared, 0.0))


def inside(queries: Floats, points: Floats, neighbours: int = NEIGHBOURS) -> npt.NDArray[np.bool_]:
    """Which queries (n, D) lie in the manifold of points (m, D): in a ball around any, up to its k-th neighbour.

    Kynkäänniemi et al. 2019 (arXiv:1904.06991, eq. 1). With generated queries and real points the mean is precision,
    the other way round recall. False for all where there are not more than k points.
    """
    if len(points) <= neighbours or len(queries) == 0:
        return np.zeros(len(queries), bool)
    radii = np.empty(len(points))
    for start in range(0, len(points), _ROWS):
        near = squared_distances(points[start : start + _ROWS], points)
        # The point itself is the nearest, at 0: its k-th neighbour has rank k.
        radii[start : start + _ROWS] = np.partition(near, neighbours, axis=1)[:, neighbours]
    found = np.zeros(len(queries), bool)
    for start in range(0, len(queries), _ROWS):
        near = squared_distances(queries[start : start + _ROWS], points)
        found[start : start + _ROWS] = (near <= radii).any(axis=1)
    return found


def squared_distances(rows: Floats, columns: Floats) -> Floats:
    """Squared Euclidean distance of each of rows (n, D) from each of columns (m, D), (n, m)."""
    square = (rows * rows).sum(axis=1)[:, None] + (columns * columns).sum(axis=1) - 2.0 * rows @ columns.T
    return np.asarray(np.maximum(square, 0.0))
