"""``fastgrok separation``: its table, its exit status, and files that are none."""

import pytest

from fastgrok.cli import main

FILES = {
    "none": "x,y\n1,0\n2,1\n3,0\n4,1\n",
    "quasi": "x,sex,y\n1,m,no\n2,f,yes\n3,f,no\n4,f,yes\n5,m,no\n6,f,no\n",
    "complete": "x;y\n1;a\n2;a\n\n3;b\n",
    "counts": "d\tn\n0\t3\n0\t0\n1\t0\n1\t0\n0\t1\n",
    "weighted": "x,w,y\n1,1,-1\n3,0,-1\n2,1,1\n4,1,1\n1,0,1\n",
    "spaces": "x, y\n9007199254740992, 0\n9007199254740994, 1\n1e300, 1\n",
    "codes": "code,y\n1_0,0\n1_1,1\n1_0,0\n",
}


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "data.csv"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


@pytest.mark.parametrize(
    ("name", "arguments", "status", "lines"),
    [
        ("none", ["--target", "y"], 0, ["no separation among 4 rows", "x            finite"]),
        (
            "quasi",
            ["--target", "y"],
            1,
            ["quasi-complete", "2 of 6 rows", "classes: 'no' against 'yes'", "sex=m        -inf",
             "x            finite", "rows pushed off: 0, 4"],
        ),
        ("complete", ["--target", "y"], 2, ["complete separation", "x            +inf"]),
        (
            "counts",
            ["--target", "n", "--model", "poisson"],
            1,
            ["Poisson model, quasi-complete", "d            -inf", "rows pushed off: 2, 3"],
        ),
        ("weighted", ["--target", "y", "--weights", "w"], 2, ["complete separation"]),
        ("spaces", ["--target", "y"], 2, ["complete separation", "x            +inf"]),
        ("codes", ["--target", "y"], 2, ["code=1_1     +inf"]),
        ("weighted", ["--target", "y"], 0, ["no separation", "w            finite"]),
        ("none", ["--target", "y", "--no-bias"], 0, ["x  finite"]),
    ],
)  # fmt: skip
def test_the_table_and_the_status(file, capsys, name, arguments, status, lines):
    assert main(["separation", file(FILES[name]), *arguments]) == status
    shown = capsys.readouterr().out
    for line in lines:
        assert line in shown
    assert ("(intercept)" in shown) == ("--no-bias" not in arguments)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x,y\n1,a\n", "two classes, got 1: 'a'"),
        ("x,z\n1,0\n2,1\n", "has no column 'y': it has x, z"),
        ("x,y\n", "a header and rows"),
        ("x,y\n1,0,3\n2,1\n", "row 1 has 3 fields, the header 2"),
        ("x,y\n1,0\n,1\n", "column 'x' lacks 1 of its 2 values, the first in row 2"),
        ("x,y\n1,a\n2,b\n3,c\n", "two classes, got 3: 'a', 'b', 'c'"),
        ("x,x,y\n1,1,0\n2,1,1\n", "two columns of the name 'x'"),
        ("y\n1\n0\n", "a column besides 'y'"),
        ("x,y\n1,2\n1,3\n", "y must hold labels -1 and +1 only"),
        ("x,y\ninf,1\n1,0\n", "X must be finite"),
        (
            "x,y\n9007199254740992,0\n-9007199254740993,1\n",
            "column 'x' row 2 is -9007199254740993, which float64 cannot hold: subtract",
        ),
        ("a,a=q,y\np,5,0\nq,6,1\n", "has a column 'a=q', as the flag of another column is called"),
        ("a=q,a,y\n5,p,0\n6,q,1\n", "has a column 'a=q', as the flag of another column is called"),
    ],
)
def test_files_that_are_no_data_are_one_line_and_status_3(file, capsys, text, message):
    assert main(["separation", file(text), "--target", "y"]) == 3
    said = capsys.readouterr().err
    assert message in said
    assert said.startswith("fastgrok: error: ")
    assert said.count("\n") == 1


def test_a_file_that_is_not_there(tmp_path, capsys):
    assert main(["separation", str(tmp_path / "no.csv"), "--target", "y"]) == 3
    assert "no.csv" in capsys.readouterr().err
