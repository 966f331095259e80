"""Figure 1 of Das et al. (2026), the adversarial test set: is the robustness real?"""

import numpy as np
import pytest

import fastgrok as fg
from das2026_runs import ensemble, find, synthetic
from fastgrok.papers import Outcome, das2026
from fastgrok.papers.das2026 import _adversarial_claims, _ensemble
from fastgrok.papers.das2026._attacks import ADVERSARIES

STEPS = (0, 1, 100, 10_000_000)
REAL = "The delayed robustness is real"


def attacked_run(seed=0, *, exact, autodiff, trained=(0, 1000, 2000, 2000)):
    curves = {name: exact if name.endswith(("exact", "pgd")) else autodiff for name in ADVERSARIES}
    counts = {"train": trained, "standard": trained, "concentrated": trained, **curves}
    return synthetic(seed=seed, steps=STEPS, counts=counts)


def judge(*runs):
    return das2026.judge_adversarial(ensemble(*runs))


def gains(verdicts):
    start = "Robustness is delayed, attack: "
    return {
        name: find(verdicts, f"{start}{adversary.label} (").outcome
        for name, adversary in ADVERSARIES.items()
    }


def test_a_masked_gradient_is_found_out():
    verdicts = judge(attacked_run(exact=[0, 1280, 1280, 1281], autodiff=[0, 1280, 1280, 1980]))
    assert find(verdicts, REAL).outcome is Outcome.DIFFERS
    (finding,) = find(verdicts, REAL).findings
    assert finding.numbers == "float32 64 -> 99 %, worst case 64 -> 64.05 %"
    found = gains(verdicts)
    assert found["adversarial_exact"] is found["adversarial_pgd"] is Outcome.DIFFERS
    assert found["adversarial_autodiff32"] is Outcome.AGREES


def test_a_robustness_that_comes_late_is_real():
    verdicts = judge(attacked_run(exact=[0, 1280, 1280, 1900], autodiff=[0, 1280, 1280, 1980]))
    assert find(verdicts, REAL).outcome is Outcome.AGREES
    assert set(gains(verdicts).values()) == {Outcome.AGREES}


def test_a_gain_before_the_standard_test_is_right_is_not_late():
    verdicts = judge(attacked_run(exact=[0, 100, 1280, 1281], autodiff=[0, 100, 1980, 1981]))
    assert set(gains(verdicts).values()) == {Outcome.DIFFERS}
    assert not any(verdict.claim.startswith(REAL) for verdict in verdicts)


def test_draws_without_a_gain_say_nothing_about_those_with_one():
    flat = [0, 1280, 1280, 1280]
    verdicts = judge(
        attacked_run(exact=flat, autodiff=flat),
        attacked_run(1, exact=flat, autodiff=[0, 1280, 1280, 1980]),
    )
    assert find(verdicts, REAL).outcome is Outcome.DIFFERS
    assert find(verdicts, REAL).findings[0].numbers.endswith("(1 of 2 draws)")
    assert gains(verdicts)["adversarial_autodiff32"] is Outcome.OPEN


@pytest.mark.parametrize(
    ("exact", "autodiff", "said"),
    [
        (1281, 1980, ["float32 (by up to 34.95 points)", "for the most part the attack's failure"]),
        (1900, 1980, ["float32 (by up to 4 points)", "is real for the most part"]),
        (1980, 1980, ["No adversary reports more", "is real for the most part"]),
        (1280, 1280, ["No adversary reports more", "no delayed robustness"]),
    ],
)
def test_the_table_says_what_the_runs_show(exact, autodiff, said):
    run = attacked_run(exact=[0, 1280, 1280, exact], autodiff=[0, 1280, 1280, autodiff])
    text = _adversarial_claims.adversarial_table(ensemble(run), judge(run)).split("\n")[0]
    for words in said:
        assert words in text
    assert ("attack that fails" in text) == (autodiff > exact)
    assert "worst case (by" not in text
    assert "true sign of the gradient (by" not in text


def test_true_accuracy_of_the_labelling_hyperplane():
    data = fg.datasets.margin_cube((50_000, 50_000), 2, gamma=1e-3, seed=0)
    for size in (1.0, 1e6):
        found = fg.adversarial_accuracy(data.X, data.y, size * data.w_true, bounds=(-5.0, 5.0))
        # Five standard deviations of a share among 10^5 points.
        assert found == pytest.approx(_adversarial_claims.aligned_accuracy(), abs=0.008)


@pytest.fixture(scope="module")
def small():
    """Steps so large that ||w|| masks the gradient soon."""
    options = {"steps": 400, "lr": 2.0, "seeds": [0], "supports": [(10, 4)], "n": (100, 100)}
    return das2026.figure1(**options, reductions=["sum"])


@pytest.mark.parametrize("bias", [True, False])
def test_the_worst_case_by_hand(small, bias):
    """Linear in x, so the worst point of ball and box is a corner, column by column."""
    (run,) = small.where(lambda variant: variant.bias == bias).runs
    law = {"gamma": 1e-3, "alpha": 10.0, "planting": "antipodal"}
    test = _ensemble.draw_sets(run.variant, 0, **law)[1]["standard"]
    y = test.y[:, None]
    for record, (*w, b) in enumerate(run.trajectory.weights):
        worst = np.clip(test.X - y * np.sign(w), -5.0, 5.0)
        correct = np.count_nonzero(test.y * (worst @ w + b) > 0.0)
        assert run.trajectory.counts["adversarial_exact"][record] == correct
    np.testing.assert_array_equal(
        run.trajectory.counts["adversarial_exact"], run.trajectory.counts["adversarial_pgd"]
    )


@pytest.mark.parametrize("precision", [32, 64])
def test_autodiff_by_hand(small, precision):
    """The sign of (sigmoid(z) - 1 or 0) w in that precision, step by step, from the input."""
    (run,) = small.where(lambda variant: variant.bias).runs
    law = {"gamma": 1e-3, "alpha": 10.0, "planting": "antipodal"}
    test = _ensemble.draw_sets(run.variant, 0, **law)[1]["standard"]
    real = np.dtype(f"float{precision}").type
    *w, b = run.trajectory.weights[-1]
    at = test.X.astype(real)
    for _ in range(20):
        z = at @ np.array(w, dtype=real) + real(b)
        with np.errstate(over="ignore", under="ignore"):
            # The softmax of the logits (0, z), as the cross-entropy computes it.
            shift = np.maximum(z, real(0))
            zero, one = np.exp(-shift), np.exp(z - shift)
            share = one / (zero + one)
        slope = np.where(test.y > 0, share - real(1), share)
        moved = at + real(0.25) * np.sign(slope[:, None] * np.array(w, dtype=real))
        at = np.clip(np.clip(moved, test.X - 1.0, test.X + 1.0), -5.0, 5.0).astype(real)
    correct = np.count_nonzero(test.y * (at.astype(float) @ w + b) > 0.0)
    found = run.trajectory.counts[f"adversarial_autodiff{precision}"][-1]
    # A logit at the edge of saturation may round the other way.
    assert abs(int(found) - correct) <= 1
    assert found > run.trajectory.counts["adversarial_exact"][-1]  # masked: ||w|| is large here


def test_the_picture_has_a_panel_for_each_reading(small):
    picture = das2026.draw_adversarial(small)
    assert [ax.get_title() for ax in picture.axes] == ["S(10,4)", "none planted, no bias"]
    assert picture.axes[0].get_xscale() == "log"
    assert "steps" in picture.axes[0].get_xlabel()
