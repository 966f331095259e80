"""The tools that judge the sources are the same wherever they are called from."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_pre_commit_has_the_versions_of_the_extra():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extra = set(project["optional-dependencies"]["dev"])
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    lists = re.findall(r"additional_dependencies: \[(.*)\]", hooks)
    asked = {one.strip() for found in lists for one in found.split(",")}
    assert {re.split("[<=>~!]", one)[0] for one in asked} == {
        "clang-format",
        "import-linter",
        "ruff",
    }
    assert asked <= extra
    judges = [one for one in extra if not one.startswith("fastgrok")]
    assert all("==" in one for one in judges), judges
