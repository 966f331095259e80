#!/usr/bin/env bash
# matplotlib 3.11.2: a log axis with default ticks ends some decades below the end of float64.
#
# Steps of a run that is followed to its limit reach 1e300. A line to 1e280 on a log axis ends in an
# OverflowError when it is drawn; a line to 1e300 is drawn without a word on an axis from 1 to 10.
#
# Seen with matplotlib 3.11.2, NumPy 2.4.6, backend Agg.
#
# Exits 0 while it is so, 1 when it is not. Needs python3 and the package index.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet numpy==2.4.6 matplotlib==3.11.2
cat >"$folder/seen.py" <<'PY'
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

for end in (1e250, 1e280, 1e300):
    figure, axes = plt.subplots()
    axes.plot([1, end], [0, 1])
    axes.set_xscale("log")
    try:
        figure.canvas.draw()
    except OverflowError:
        print(f"to {end:g}: OverflowError")
    else:
        low, high = axes.get_xlim()
        print(f"to {end:g}: the axis holds the line's end: {low <= end <= high}")
PY
"$folder/venv/bin/python" -W ignore "$folder/seen.py" | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN'
to 1e+250: the axis holds the line's end: True
to 1e+280: OverflowError
to 1e+300: the axis holds the line's end: False
SEEN
