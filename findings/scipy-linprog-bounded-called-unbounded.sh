#!/usr/bin/env bash
# SciPy 1.17.1: linprog (HiGHS) calls linear programs unbounded that are bounded, with no warning.
#
# The largest margin in a weighted l_1 norm: maximise t with y_i (w . x_i) >= t for 30 points in 10
# columns, and sum_j c_j |w_j| <= 1. With w = 0, t = 0 it is feasible, and t is at most
# max |x_ij| / min c_j. With all c_j = 1 but one of 10^10, a column in another unit, the status of
# some is 3, "unbounded"; from 10^11 on that of a fifth and more. The value is missing, and a reader
# of the status takes the points for separable by any margin. Up to 10^9 all are solved.
#
# Seen with SciPy 1.17.1 and NumPy 2.4.6: of 40 programs 0 at 10^9, some at 10^10, more at 10^12.
#
# Exits 0 while it is so, 1 when it is not. Needs python3 and the package index.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet numpy==2.4.6 scipy==1.17.1
cat >"$folder/seen.py" <<'PY'
import numpy as np
from scipy.optimize import linprog

n, d = 30, 10
unbounded = {}
for unit in (1e9, 1e10, 1e12):
    unbounded[unit] = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(n, d))
        y = np.where(np.arange(n) % 2, 1.0, -1.0)
        X[:, 0] += 4.0 * y
        costs = np.append(np.ones(d - 1), unit)
        # w = p - q with p, q >= 0, then t.
        signed = y[:, None] * X
        rows = np.hstack([-signed, signed, np.ones((n, 1))])
        rows = np.vstack([rows, [*costs, *costs, 0.0]])
        limits = np.append(np.zeros(n), 1.0)
        assert (rows @ np.zeros(2 * d + 1) <= limits).all()  # feasible
        bounds = [(0.0, None)] * (2 * d) + [(None, None)]
        answer = linprog([*np.zeros(2 * d), -1.0], A_ub=rows, b_ub=limits, bounds=bounds)
        unbounded[unit] += answer.status == 3
    print(f"cost {unit:g}: {unbounded[unit]} of 40 bounded programs are called unbounded")
raise SystemExit(not (unbounded[1e9] == 0 < unbounded[1e10] < unbounded[1e12]))
PY
"$folder/venv/bin/python" "$folder/seen.py"
