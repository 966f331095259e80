#!/usr/bin/env bash
# h5netcdf 1.8.2: installed by itself it can neither write nor read a file.
#
# It has several backends now and requires none of them: h5py, without which earlier versions could
# not be installed, has to be asked for (by itself, or with xarray's engine "h5netcdf"). The import
# succeeds; the first file ends in an ImportError that names h5py.
#
# Seen with h5netcdf 1.8.2, NumPy 2.4.6. h5netcdf 1.3.0 requires h5py.
#
# Exits 0 while it is so, 1 when it is not. Needs python3 and the package index.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet numpy==2.4.6 h5netcdf==1.8.2
cat >"$folder/seen.py" <<'PY'
import sys
from importlib.metadata import requires

import h5netcdf

needed = sorted(line.split(";")[0].strip() for line in requires("h5netcdf") if "extra" not in line)
print("requires h5py:", any(line.startswith("h5py") for line in needed))
try:
    h5netcdf.File(sys.argv[1], "w")
except ImportError as error:
    print("ImportError that names h5py:", "h5py" in str(error))
else:
    print("a file was written")
PY
"$folder/venv/bin/python" "$folder/seen.py" "$folder/run.nc" | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN'
requires h5py: False
ImportError that names h5py: True
SEEN
