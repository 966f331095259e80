"""Attacks as one would write them down: every step of the loop, or every corner of the box."""

import itertools

import numpy as np
from scipy.optimize import linprog

from attack_cases import radii


def splitmix64(seed, index):
    """SplitMix64 (Steele, Lea & Flood 2014), in Python's integers."""
    mask = 2**64 - 1
    z = (seed + (index + 1) * 0x9E3779B97F4A7C15) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return z ^ (z >> 31)


def seed_of(random_state):
    return int(np.random.SeedSequence(random_state).generate_state(1, np.uint64)[0])


def uniform(seed, first, count):
    return np.array([splitmix64(seed, first + j) >> 11 for j in range(count)]) * 2.0**-53


def start(random_state, rows, cols, row, restart, norm):
    """A point of the unit ball."""
    seed = seed_of(random_state)
    if norm == np.inf:
        return 2.0 * uniform(seed, (restart * rows + row) * cols, cols) - 1.0
    if norm == 1:
        first = (restart * rows + row) * (cols + 1)
        bits = [splitmix64(seed, first + j) for j in range(cols + 1)]
        time = -np.log(1.0 - np.array([one >> 11 for one in bits]) * 2.0**-53)
        return np.where([one & 1 for one in bits], time, -time)[:cols] / time.sum()
    words = 2 * ((cols + 3) // 2)
    u = uniform(seed, (restart * rows + row) * words, words)
    length, angle = np.sqrt(-2.0 * np.log(1.0 - u[0::2])), 2.0 * np.pi * u[1::2]
    normal = np.column_stack([length * np.cos(angle), length * np.sin(angle)]).ravel()[: cols + 2]
    return normal[:cols] / np.linalg.norm(normal)


def starts(random_state, rows, cols, restart, norm):
    return np.array([start(random_state, rows, cols, i, restart, norm) for i in range(rows)])


def true_gradient(X, y, w, b):
    """Direction of steepest growth of the loss, which is never 0."""
    return -y[:, None] * w


def autodiff_gradient(X, y, w, b):
    """Gradient of the cross-entropy of the logits (0, z), every operation rounded in X's dtype."""
    real = X.dtype.type
    with np.errstate(under="ignore"):
        z = (X * w).sum(axis=1) + b
        top = np.maximum(z, real(0))
        log_p = (z - top) - np.log(np.exp(-top) + np.exp(z - top))
        p = np.exp(log_p)
        return np.where(y > 0, p - real(1), p)[:, None] * w


def norms(rows, norm):
    if norm == 1:
        return np.abs(rows).sum(axis=1, keepdims=True)
    with np.errstate(under="ignore"):
        return np.sqrt((rows * rows).sum(axis=1, keepdims=True))


def iterate(X, y, w, b, *, norm, eps, step_size, steps, box, delta, gradient):
    """Step, project, clip, all in X's dtype, in the order of foolbox's attacks."""
    real = X.dtype.type
    radius = np.asarray(radii(X, eps), X.dtype)
    radius = radius if norm == np.inf else radius[:, :1]
    step = real(step_size)
    low, high = (-np.inf, np.inf) if box is None else (np.asarray(s, X.dtype) for s in box)
    tiny = real(1e-12)
    x = X if delta is None else np.clip((X + delta).astype(X.dtype), low, high)
    for _ in range(steps):
        g = gradient(x, y, w, b)
        if norm == np.inf:
            moved = x + step * np.sign(g)
            x = X + np.clip(moved - X, -radius, radius)
        else:
            with np.errstate(under="ignore"):
                moved = x + step * (g * (real(1) / np.maximum(norms(g, norm), tiny)))
            away = moved - X
            x = X + away * np.minimum(real(1), radius / np.maximum(norms(away, norm), tiny))
        x = np.clip(x, low, high)
    return x


def attack(
    X, y, w, b, *, method, norm, eps, step_size, steps, bounds=None, random_state=None, restarts=0
):
    """Attacked rows (float64); `restarts` = 0 starts from the rows themselves."""
    dtype = np.float32 if method == "autodiff32" else np.float64
    gradient = true_gradient if method == "pgd" else autodiff_gradient
    rows, weights, bias = X.astype(dtype), w.astype(dtype), dtype(b)
    if method == "pgd":  # the direction alone counts; this keeps its norm from over- and underflow
        weights = np.ldexp(w, -np.frexp(np.abs(w).max())[1]) if w.any() else w
    best, lowest = None, None
    for restart in range(max(restarts, 1)):
        delta = None
        if restarts:
            delta = radii(X, eps) * starts(random_state, *X.shape, restart, norm)
        points = iterate(
            rows, y, weights, bias, norm=norm, eps=eps, step_size=step_size, steps=steps,
            box=bounds, delta=delta, gradient=gradient,
        ).astype(np.float64)  # fmt: skip
        margin = y * (points @ w + b)
        if best is None:
            best, lowest = points, margin
        else:
            better = margin < lowest
            best, lowest = np.where(better[:, None], points, best), np.minimum(margin, lowest)
    return best


def worst_corner(x, y, w, b, eps, low, high):
    """Lowest margin over all corners of ball and box: the margin is linear. `eps` may be (d,)."""
    sides = zip(np.maximum(x - eps, low), np.minimum(x + eps, high), strict=True)
    return min(y * (np.dot(corner, w) + b) for corner in itertools.product(*sides))


def worst_in_ball_and_box(x, y, w, b, eps, low, high):
    """Lowest margin in an l_2 ball and a box, by bisection.

    The Karush-Kuhn-Tucker conditions make the worst move the clipped multiple of -y w whose norm
    is eps, or the corner of the box where even that lies inside the ball.
    """

    def move(t):
        return np.clip(x - y * t * w, low, high) - x

    least, most = 0.0, 1.0
    reachable = np.where(w == 0, 0.0, np.where(y * w > 0, x - low, high - x))
    if np.linalg.norm(reachable) <= eps:
        return y * (np.dot(x - y * np.sign(w) * reachable, w) + b)
    while np.linalg.norm(move(most)) < eps:
        most *= 2.0
    for _ in range(200):
        middle = 0.5 * (least + most)
        if np.linalg.norm(move(middle)) < eps:
            least = middle
        else:
            most = middle
    return y * (np.dot(x + move(least), w) + b)


def worst_in_l_1(x, y, w, b, eps, low, high):
    """Lowest margin in an l_1 ball and a box, as a linear program in x = row + p - q."""
    d = len(x)
    cost = y * np.concatenate([w, -w])
    room = np.concatenate([np.broadcast_to(high, d) - x, x - np.broadcast_to(low, d)])
    found = linprog(
        cost, A_ub=np.ones((1, 2 * d)), b_ub=[eps], bounds=np.column_stack([np.zeros(2 * d), room])
    )
    assert found.success
    return y * (np.dot(x, w) + b) + found.fun
