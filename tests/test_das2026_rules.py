"""How the papers' claims are judged and written, and how runs are made side by side."""

import threading
from math import inf, nan

import pytest

from fastgrok.papers._report import (
    Finding,
    Outcome,
    Stated,
    Verdict,
    combine,
    combine_all,
    judge_number,
    judge_shares,
    markdown_table,
    number,
    percent,
    spread,
    verdict_table,
)
from fastgrok.papers._runs import JobsInterrupted, run_jobs


class TestRules:
    @pytest.mark.parametrize(
        ("stated", "ours", "expected"),
        [
            (Stated(400.0), [300.0, 500.0], Outcome.AGREES),
            (Stated(400.0), [790.0, 900.0], Outcome.AGREES),  # within the reading of a log axis
            (Stated(400.0), [801.0, 900.0], Outcome.DIFFERS),
            (Stated(400.0), [1.0, 199.0], Outcome.DIFFERS),
            (Stated(400.0), [10.0, 1001.0], Outcome.OPEN),  # the draws decide nothing
            (Stated(400.0), [300.0, inf], Outcome.OPEN),
            (Stated(400.0), [inf, inf], Outcome.DIFFERS),
            (Stated(10.0, "<="), [1.0, 10.0], Outcome.AGREES),
            (Stated(10.0, "<="), [11.0, inf], Outcome.DIFFERS),
            (Stated(10.0, "<="), [9.0, 11.0], Outcome.OPEN),
            (Stated(100.0, ">="), [100.0, inf], Outcome.AGREES),
            (Stated(100.0, ">="), [99.0], Outcome.DIFFERS),
        ],
    )
    def test_numbers(self, stated, ours, expected):
        assert judge_number(stated, ours) is expected
        assert judge_number(stated, ours[::-1]) is expected

    def test_shares(self):
        assert judge_shares([True, True]) is Outcome.AGREES
        assert judge_shares([False]) is Outcome.DIFFERS
        assert judge_shares([True, False]) is Outcome.OPEN

    @pytest.mark.parametrize("outcome", Outcome)
    def test_readings_that_are_alike(self, outcome):
        assert combine([outcome] * 3) is outcome

    def test_readings_that_disagree(self):
        assert combine([Outcome.AGREES, Outcome.DIFFERS]) is Outcome.OPEN
        assert combine([Outcome.AGREES, Outcome.OPEN]) is Outcome.OPEN
        assert combine([Outcome.AGREES, Outcome.SHORT]) is Outcome.SHORT
        assert combine([Outcome.AGREES, Outcome.SHORT, Outcome.DIFFERS]) is Outcome.OPEN
        assert combine([Outcome.SHORT, Outcome.OPEN]) is Outcome.OPEN
        assert combine([]) is Outcome.SHORT

    @pytest.mark.parametrize(
        ("outcomes", "expected"),
        [
            (["AGREES", "AGREES"], "AGREES"),
            (["AGREES", "DIFFERS"], "DIFFERS"),
            (["SHORT", "OPEN", "DIFFERS"], "DIFFERS"),
            (["AGREES", "OPEN"], "OPEN"),
            (["AGREES", "SHORT"], "SHORT"),
            (["OPEN", "SHORT"], "SHORT"),  # what the run has not shown may still differ
            ([], "SHORT"),
        ],
    )
    def test_statements_that_must_all_hold(self, outcomes, expected):
        assert combine_all(Outcome[name] for name in outcomes) is Outcome[expected]
        assert combine_all(Outcome[name] for name in outcomes[::-1]) is Outcome[expected]

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (0, "0"),
            (nan, "unknown"),
            (4.0, "4"),
            (400.0, "400"),
            (9999.0, "9999"),
            (1.75e4, "1.8e4"),
            (5e5, "5e5"),
            (0.985, "0.985"),
            (1.2e-3, "1.2e-3"),
            (None, "never"),
            (inf, "never"),
        ],
    )
    def test_written_numbers(self, value, text):
        assert number(value) == text

    def test_spread_is_median_and_range(self):
        assert spread([3.0, 1.0, 2.0]) == "2 [1, 3]"
        assert spread([1.0, inf]) == "never [1, never]"
        assert spread([7.0, 7.0]) == "7"
        assert spread([0.5, 0.9985, 1.0], percent) == "99.85 [50, 100]"

    def test_verdict_in_words(self):
        findings = (
            Finding("mean", Outcome.AGREES, "zeta 500"),
            Finding("sum, S(2,1)", Outcome.OPEN, "zeta 3 [1, 900]"),
        )
        verdict = Verdict("It groks", Outcome.OPEN, findings, note="A note.")
        assert verdict.summary == "agrees: mean; depends on the draw: sum, S(2,1)"
        assert "DEPENDS ON THE DRAW" in verdict.text()
        assert verdict.text().count("zeta") == 2
        assert "A note." in verdict.markdown()
        assert "| sum, S(2,1) | depends on the draw | zeta 3 [1, 900] |" in verdict.markdown()

    def test_parts_are_not_readings(self):
        findings = (
            Finding("lambda = 0.4", Outcome.AGREES, ""),
            Finding("lambda = 0.6", Outcome.OPEN, ""),
        )
        verdict = Verdict.of_all("It groks", findings)
        assert verdict.outcome is Outcome.OPEN
        assert "=> DEPENDS ON THE DRAW (" in verdict.text()
        assert "**depends on the draw**" in verdict.markdown()
        assert "| It groks | **depends on the draw** |" in verdict_table([verdict])
        for words in (verdict.text(), verdict.markdown(), verdict_table([verdict])):
            assert "the paper" not in words.lower()
            assert "reading" not in words.lower()
        false = Verdict.of_all("It groks", (*findings, Finding("rest", Outcome.DIFFERS, "")))
        assert false.outcome is Outcome.DIFFERS
        whole = Verdict.of_all("It groks", findings[:1])
        assert whole.summary == "agrees: every part"

    def test_why_nothing_is_decided(self):
        short = Finding("mean", Outcome.SHORT, "")
        unseen = Finding("sum", Outcome.SHORT, "", reason="never seen")
        verdict = Verdict("It groks", Outcome.SHORT, (short, unseen))
        assert verdict.summary == "too few steps: mean; never seen: sum"

    def test_markdown_table(self):
        assert markdown_table(("a", "b"), [("1", "2")]) == "| a | b |\n|---|---|\n| 1 | 2 |"
        assert "\\|b\\|" in markdown_table(("|b|",), [])


class TestJobs:
    def test_results_in_order(self):
        jobs = [lambda report, i=i: (report(1), i)[1] for i in range(7)]
        assert run_jobs(jobs, steps=1, workers=3, progress=False) == list(range(7))

    def test_the_bar_counts_jobs_and_steps(self, capsys):
        run_jobs([lambda report: report(5)] * 3, steps=10, workers=2, progress=True)
        shown = capsys.readouterr().err
        assert "3/3 runs" in shown
        assert "30.0/30.0" in shown

    def test_an_error_stops_the_others(self):
        begun = []

        def slow(report):
            begun.append(1)
            while True:
                report(1)

        def broken(report):
            raise ValueError("no such thing")

        with pytest.raises(ValueError, match="no such thing"):
            run_jobs([slow, broken, slow, slow], steps=1, workers=2, progress=False)
        assert len(begun) == 1  # those in the queue never began

    def test_an_interrupt_keeps_what_was_done(self):
        done = threading.Event()

        def quick(report):
            done.set()
            return "result"

        def interrupting(report):
            done.wait()
            raise KeyboardInterrupt

        with pytest.raises(JobsInterrupted) as caught:
            run_jobs([quick, interrupting], steps=1, workers=2, progress=False)
        assert caught.value.finished == {0: "result"}
