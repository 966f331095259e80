"""show_config, and the names that the package offers."""

import os
import platform
from importlib.metadata import version

import numpy as np

import fastgrok as fg
from fastgrok import _core


def test_show_config_tells_what_runs():
    config = fg.show_config()
    assert config["fastgrok"] == fg.__version__ == version("fastgrok")
    assert config["python"] == platform.python_version()
    assert config["numpy"] == np.__version__
    assert config["simd"] == _core.simd()
    assert config["simd_available"].split() == _core.simd_available()
    assert 1 <= int(config["threads"]) <= len(os.sched_getaffinity(0))
    for name, value in _core.build_info().items():
        assert config[name] == value
        assert value
    assert {"compiler", "flags"} <= config.keys()


def test_show_config_shows_itself(capsys):
    config = fg.show_config()
    assert capsys.readouterr().out == ""
    lines = str(config).splitlines()
    assert str(config) == repr(config)
    assert len(lines) == len(config)
    for line, (name, value) in zip(lines, config.items(), strict=True):
        assert line.startswith(name)
        assert line.endswith(value)
    columns = {len(line) - len(value) for line, value in zip(lines, config.values(), strict=True)}
    assert len(columns) == 1


def test_public_names():
    assert len(fg.__all__) == len(set(fg.__all__))
    for name in fg.__all__:
        assert getattr(fg, name) is not None
        assert name == "__version__" or getattr(fg, name).__doc__
