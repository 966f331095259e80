"""Questions to rows on a cluster over connections of their own, and without."""

import gc
import shutil
import subprocess

import numpy as np
import pytest
from distributed.security import Security

import fastgrok as fg
from clusters import classes, in_blocks, kill_one, same_bits, two_workers
from fastgrok import distributed
from fastgrok._core import LeapingDescent
from fastgrok.descent import settings
from fastgrok.distributed import _talk
from fastgrok.distributed._line import Line
from runs import polling_always

EXACT = {"steps": 120, "lr": 0.5, "engine": "exact", "record": 20}


@pytest.fixture(scope="module")
def client():
    with two_workers() as client:
        yield client


def scattered(client, n=2001, d=20):
    X, y = classes(n, d)
    data = distributed.scatter(in_blocks(X, (n // 3,)), y, client)
    return X, y, data, data.X._remote._pieces


def test_a_line_that_breaks_is_opened_again(client):
    X, y, data, pieces = scattered(client)
    before = [piece.line for piece in pieces]
    assert len(before) == 2
    assert None not in before

    def progress(step):
        if step > 20:
            before[0]._socket.close()

    with polling_always():
        there = fg.train(data.X, data.y, progress=progress, **EXACT)
    same_bits(there, fg.train(X, y, **EXACT))
    assert pieces[0].line not in (None, before[0])
    assert pieces[1].line is before[1]


def test_actors_answer_where_no_line_can_be_had(client, monkeypatch):
    def unreachable(*_):
        raise OSError("no route")

    monkeypatch.setattr(_talk, "Line", unreachable)
    X, y, data, pieces = scattered(client)
    assert [piece.line for piece in pieces] == [None, None]
    same_bits(fg.train(data.X, data.y, **EXACT), fg.train(X, y, **EXACT))


def test_what_a_worker_raises_comes_out_and_the_line_goes_on(client):
    X, y, data, pieces = scattered(client)
    before = [piece.line for piece in pieces]
    with pytest.raises(ValueError, match="there is no such question"):
        data.X._remote._ask([(999, 0, np.zeros(1))], [-1], [])
    with pytest.raises(ValueError, match="too short"):
        data.X._remote._ask([(2, 0, np.zeros(1))], [-1], [])
    assert pieces[0].line is before[0]
    same_bits(fg.train(data.X, data.y, **EXACT), fg.train(X, y, **EXACT))


def test_who_does_not_know_the_secret_is_sent_away(client):
    *_, data, pieces = scattered(client)
    port, secret = data.X._remote._talk.call(pieces[0], "offer")
    with pytest.raises(OSError):  # noqa: PT011 (as the system has it)
        Line(pieces[0].worker, (port, bytes(len(secret))), client.security)
    assert not Line(pieces[0].worker, (port, secret), client.security).owes


def test_lines_end_with_the_rows(client):
    *_, data, pieces = scattered(client)
    ends = [piece.line._socket.dup() for piece in pieces]
    del data, pieces
    gc.collect()
    for end in ends:
        with end:
            end.settimeout(20.0)
            assert end.recv(1) == b""


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes the certificate")
def test_lines_are_encrypted_where_the_cluster_is(tmp_path):
    key, certificate = str(tmp_path / "key.pem"), str(tmp_path / "cert.pem")
    made = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=rows"
    subprocess.run(
        [*made.split(), "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    of_role = {
        f"tls_{role}_{what}": path
        for role in ("client", "scheduler", "worker")
        for what, path in (("key", key), ("cert", certificate))
    }
    security = Security(tls_ca_file=certificate, require_encryption=True, **of_role)
    with two_workers(security=security, protocol="tls") as client:
        X, y, data, pieces = scattered(client)
        assert all(piece.line._socket.cipher() is not None for piece in pieces)
        same_bits(fg.train(data.X, data.y, **EXACT), fg.train(X, y, **EXACT))


@pytest.fixture
def engines(monkeypatch):
    made = []

    def make(*args, **options):
        made.append(LeapingDescent(*args, **options))
        return made[-1]

    monkeypatch.setattr(settings, "LeapingDescent", make)
    return made


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_both_integrations_of_a_leap_ask_together(client, engines, dtype):
    X, y = classes(1500, 130, dtype=dtype)
    options = {"steps": 10**6, "lr": 0.5, "record": fg.log_spaced(10**6, 4)}
    here = fg.train(X, y, **options)
    there = fg.train(in_blocks(X, (700,)), y, executor=client, **options)
    same_bits(there, here)
    assert [engine.passes_together > 20 for engine in engines] == [False, True]


def test_a_worker_is_killed_between_questions_that_go_together(client):
    X, y = classes(1500, 130, noise=0.0)
    steps = 10**6
    options = {"steps": steps, "lr": 0.5, "rtol": 1e-6, "record": fg.log_spaced(steps, 4)}
    here = fg.train(X, y, **options)
    data = distributed.scatter(in_blocks(X, (700,)), y, client)
    together, killed = [], []
    ask = data.X._remote._ask

    def killing(asked, *rest):
        together.append(len(asked) == 2)
        if sum(together) == 10 and not killed:
            killed.append(kill_one(client, data.X.workers()[0]))
        return ask(asked, *rest)

    data.X._remote._ask = killing
    same_bits(fg.train(data.X, data.y, **options), here)
    assert killed
    assert killed[0] not in data.X.workers()
