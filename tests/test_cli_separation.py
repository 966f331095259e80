"""``fastgrok separation``: its table, its exit status, and files that are none."""

import gzip
import io
import json

import numpy as np
import pytest

from fastgrok._files import read_csv
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
             "x            finite", "pushed off, counted from 0: 0, 4"],
        ),
        ("complete", ["--target", "y"], 2, ["complete separation", "x            +inf"]),
        (
            "counts",
            ["--target", "n", "--model", "poisson"],
            1,
            ["Poisson model, quasi-complete", "d            -inf", "counted from 0: 2, 3"],
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
        ("x,y\n1,0,3\n2,1\n", "row 0, counted from 0 (line 2), has 3 fields, the header 2"),
        (
            "x,y\n1,0\n,1\n",
            "column 'x' lacks 1 of its 2 values: the first, row 1, counted from 0 (line 3)",
        ),
        ("x,y\n1,a\n2,b\n3,c\n", "two classes, got 3: 'a', 'b', 'c'"),
        ("x,x,y\n1,1,0\n2,1,1\n", "two columns of the name 'x'"),
        ("y\n1\n0\n", "a column besides 'y'"),
        ("x,y\n1,2\n1,3\n", "column 'y' must hold labels -1 and +1 only"),
        ("x,y\ninf,1\n1,0\n", "is 'inf', no finite number"),
        (
            "x,y\n9007199254740992,0\n-9007199254740993,1\n",
            "column 'x', row 1, counted from 0 (line 3), is -9007199254740993, which float64",
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


@pytest.mark.parametrize(
    "odd", [".", "NULL", "?", "-", "None", "#N/A", "n/a", "<NA>", "NaT", "nan"]
)
def test_what_stands_for_no_number_is_missing(file, capsys, odd):
    text = f"age,y\n31,0\n{odd},1\n57,1\n63,0\n44,1\n"
    assert main(["separation", file(text), "--target", "y"]) == 3
    said = capsys.readouterr().err
    assert "column 'age' lacks 1 of its 5 values: the first, row 1, counted from 0 (line 3)" in said
    assert repr(odd) in said


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (
            ["31", "4O", "57", "63", "44"],
            "row 1, counted from 0 (line 3), is '4O', no finite number",
        ),
        (
            ["31", "40", "57", "63", "1_000"],
            "row 4, counted from 0 (line 6), is '1_000', no finite",
        ),
        (["31", "40", "57", "inf", "x"], "row 3, counted from 0 (line 5), is 'inf', no finite"),
        (['"3,1"', '"4,5"', "5", '"6,1"', "7"], "is '3,1', no finite number, in a column of n"),
        (["2020-01-31", "2020-02-01", "2021-1-1", "2020-02-01 10:00", "1999-01-01"], "holds dates"),
        (["31.1.2020", "1/2/20", "3.4.2021", "2.2.2020", "2.2.2021"], "holds dates, such as '31.1"),
    ],
)
def test_columns_that_are_mostly_numbers_or_dates_are_no_flags(file, capsys, cells, message):
    text = "age,y\n" + "".join(f"{cell},{i % 2}\n" for i, cell in enumerate(cells))
    assert main(["separation", file(text), "--target", "y"]) == 3
    said = capsys.readouterr().err
    assert "column 'age'" in said
    assert message in said


def test_text_becomes_flags_and_that_is_said(file, capsys):
    text = "group,site,y\nnone,18-25,0\nmild,18-25,1\n2,26-35,0\nsevere,26-35,1\nnone,18-25,1\n"
    assert main(["separation", file(text), "--target", "y"]) in (0, 1, 2)
    shown = capsys.readouterr()
    assert shown.err.splitlines() == [
        "fastgrok: column 'group' is text: 3 flags", "fastgrok: column 'site' is text: 1 flag",
    ]  # fmt: skip
    for name in ("group=mild", "group=none", "group=severe", "site=26-35"):
        assert name in shown.out


@pytest.mark.parametrize(
    ("cell", "rounded"),
    [
        ("9007199254740993", "9007199254740992"),
        ("-36893488147419103233", "-36893488147419103232"),
        ("0.12345678901234567891", "0.12345678901234568"),
        ("1e-400", "0"),
        ("1e400", "inf"),
    ],
)
def test_numbers_that_float64_cannot_hold_are_refused(file, capsys, cell, rounded):
    assert main(["separation", file(f"x,y\n1,0\n{cell},1\n2,0\n"), "--target", "y"]) == 3
    said = capsys.readouterr().err
    assert f"row 1, counted from 0 (line 3), is {cell}, which float64 cannot hold" in said
    assert rounded in said


@pytest.mark.parametrize("form", ["%.17g", "%.18e", "%r", "%.25g", "%.3f"])
def test_numbers_are_read_as_they_were_written(tmp_path, form):
    values = np.random.default_rng(3).normal(size=40) * 10.0 ** np.arange(-20, 20)
    values = np.append(values, [2.0**60, -(2.0**53), 0.0, 1e22])
    file = tmp_path / "data.csv"
    text = [form % value if form != "%r" else repr(float(value)) for value in values]
    file.write_text("x,y\n" + "".join(f"{value},{i % 2}\n" for i, value in enumerate(text)))
    np.testing.assert_array_equal(read_csv(file, "y").X[:, 0], [float(value) for value in text])


def test_all_of_it_for_other_programs(file, capsys):
    text = "x,sex,y\n" + "1,m,no\n" * 15 + "2,f,yes\n3,f,no\n4,f,yes\n6,f,no\n"
    assert main(["separation", file(text), "--target", "y", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["kind"] == "quasi-complete"
    assert found["rows"] == list(range(15))
    assert found["overlap"] == [15, 16, 17, 18]
    assert found["classes"] == ["no", "yes"]
    verdicts = {one["name"]: one["verdict"] for one in found["coefficients"]}
    assert verdicts == {"x": "finite", "sex=m": "-inf", "(intercept)": "finite"}
    assert main(["separation", file(text), "--target", "y", "--classes", "yes", "no"]) == 1
    shown = capsys.readouterr().out
    assert "classes: 'yes' against 'no'" in shown
    assert "sex=m        +inf" in shown
    numbers = "x,y\n1,2\n2,1\n3,2\n4,1\n"
    assert main(["separation", file(numbers), "--target", "y", "--classes", "2", "1"]) == 0
    assert "classes: 2 against 1" in capsys.readouterr().out


def test_packed_files_and_the_standard_input(tmp_path, monkeypatch, capsys):
    packed = tmp_path / "data.csv.gz"
    packed.write_bytes(gzip.compress(FILES["complete"].encode()))
    assert main(["separation", str(packed), "--target", "y"]) == 2
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(FILES["none"].encode())))
    assert main(["separation", "-", "--target", "y"]) == 0
    assert "no separation among 4 rows" in capsys.readouterr().out
    packed.write_bytes(packed.read_bytes()[:-9])
    assert main(["separation", str(packed), "--target", "y"]) == 3
    packed.write_bytes("x,y\n1,é\n".encode("latin-1"))
    assert main(["separation", str(packed), "--target", "y"]) == 3
    packed.write_bytes(b"PK\x03\x04")
    assert main(["separation", str(packed), "--target", "y"]) == 3
    said = capsys.readouterr().err.splitlines()
    assert "is no intact gzip file" in said[0]
    assert "data.csv.gz is not text in UTF-8: line 2 has the byte 0xe9; convert it" in said[1]
    assert "is a spreadsheet or a zip archive" in said[2]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--target", "y", "--weights", "y"], "must be two columns, got 'y' for both"),
        (["--target", "y", "--classes", "a", "b"], "--classes must be numbers"),
        (["--target", "y", "--model", "poisson", "--classes", "0", "1"], "are of --model logistic"),
    ],
)
def test_arguments_that_do_not_go_together(file, capsys, arguments, words):
    assert main(["separation", file(FILES["none"]), *arguments]) == 3
    assert words in capsys.readouterr().err


def test_counts_are_told_of_the_model_for_them(file, capsys):
    assert main(["separation", file("x,visits\n1,0\n2,3\n3,1\n"), "--target", "visits"]) == 3
    said = capsys.readouterr().err
    assert "column 'visits' must hold the labels of two classes, got 3: 0, 1, 3; for counts" in said


@pytest.mark.parametrize(
    "arguments", [[], ["--target", "y", "--foo"], ["--target", "y", "--model", "x"]]
)
def test_arguments_that_make_no_sense_are_no_verdict(file, capsys, arguments):
    with pytest.raises(SystemExit) as stop:
        main(["separation", file(FILES["none"]), *arguments])
    assert stop.value.code == 3
    with pytest.raises(SystemExit) as stop:
        main(["reproduce", "das2026", "--foo"])
    assert stop.value.code == 2


def test_what_nobody_thought_of_is_no_verdict(file, monkeypatch, capsys):
    def fail(*_, **__):
        raise KeyError("y")

    monkeypatch.setattr("fastgrok.cli.read_csv", fail)
    assert main(["separation", file(FILES["none"]), "--target", "y"]) == 3
    assert "KeyError: 'y'" in capsys.readouterr().err
