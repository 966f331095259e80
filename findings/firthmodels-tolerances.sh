#!/usr/bin/env bash
# firthmodels 0.8.2 calls classes separated that overlap, and columns dependent that are not, both by
# a tolerance that its answer does not mention.
#
# 1. One column, four points of either class that overlap by 1e-9, so that the likelihood has a
#    maximum (the overlap is checked with fractions). detect_separation says that they are separated;
#    with an overlap of 1e-6 it does not.
# 2. Times in seconds since 1970 beside the intercept that it adds: ten points of which both classes
#    lie among each other. It raises because the columns are dependent. Less their first, with the
#    same differences, there is no error, and no separation.
#
# Seen with firthmodels 0.8.2, NumPy 2.4.6 and SciPy 1.17.1.
#
# Exits 0 while it is so, 1 when it is not. Needs python3 and the package index.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet numpy==2.4.6 scipy==1.17.1 firthmodels==0.8.2
cat >"$folder/seen.py" <<'PY'
from fractions import Fraction

import numpy as np
from firthmodels import detect_separation

y = np.repeat([0, 1], 4)
answers = {}
for overlap in (1e-9, 1e-6):
    x = np.array([0.0, 0.25, 0.5, 1.0, 1.0 - overlap, 1.5, 1.75, 2.0])
    assert Fraction(x[3]) > Fraction(x[4]) > Fraction(x[2])  # neither class lies beside the other
    answers[overlap] = bool(detect_separation(x[:, None], y).separation)
    print(f"overlap of {overlap:g}: separated {answers[overlap]}")

seconds = 1.7e9 + 60.0 * np.arange(10)
labels = np.array([0, 1] * 5)
raised = {}
for name, column in (("since 1970", seconds), ("since the first", seconds - seconds[0])):
    try:
        print(f"seconds {name}:", detect_separation(column[:, None], labels).separation)
        raised[name] = False
    except Exception as error:
        print(f"seconds {name}: {type(error).__name__}: {error}")
        raised[name] = True
raise SystemExit(
    not (answers[1e-9] and not answers[1e-6] and raised["since 1970"] and not raised["since the first"])
)
PY
"$folder/venv/bin/python" "$folder/seen.py"
