#!/usr/bin/env bash
# DAQP 0.11.0 calls quadratic programs infeasible that are feasible, where columns differ in units.
#
# The maximum-margin hyperplane of two separated classes: minimise |v|^2 with y_i (x_i, 1) . v >= 1,
# 200 points in 3 columns, the Hessian the identity, nothing else. A v that keeps all constraints is
# known, and checked with fractions. Columns in units of powers of two change neither that nor any
# digit. With units from 1/64 to 64 all programs are solved; from 1/1024 to 1024 nearly all have exit
# flag -1, "infeasible". A reader of the flag takes the classes for not separable.
#
# Seen with daqp 0.11.0 and NumPy 2.4.6: 0, 0, 0 and 38 of 40.
#
# Exits 0 while it is so, 1 when it is not. Needs python3 and the package index.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet numpy==2.4.6 daqp==0.11.0
cat >"$folder/seen.py" <<'PY'
from fractions import Fraction

import daqp
import numpy as np

n, d = 200, 3
counts = {}
for power in (0, 2, 6, 10):
    units = 2.0 ** np.round(np.linspace(-power, power, d))
    counts[power] = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        w = rng.integers(1, 9, size=d).astype(float)
        X = rng.normal(size=(n, d))
        y = np.where(X @ w > 0.0, 1.0, -1.0)
        X = np.round(2.0**20 * (X + 0.3 * y[:, None] * w / (w @ w))) / 2.0**20
        Z = np.column_stack([y[:, None] * X * units, y])
        v = np.append(4.0 * w / units, 0.0)
        exact = [
            sum(Fraction(a) * Fraction(b) for a, b in zip(row, v, strict=True)) for row in Z.tolist()
        ]
        assert min(exact) >= 1  # feasible
        _, _, flag, _ = daqp.solve(
            np.eye(d + 1), np.zeros(d + 1), Z, np.full(n, 1e30), np.ones(n), np.zeros(n, np.int32)
        )
        counts[power] += flag == -1
    print(f"units 2^-{power} to 2^{power}: {counts[power]} of 40 feasible programs are infeasible")
raise SystemExit(not (counts[0] == 0 < counts[10]))
PY
"$folder/venv/bin/python" "$folder/seen.py"
