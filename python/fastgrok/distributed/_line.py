"""
Questions about rows over a connection of their own, each for one going and coming of plain numbers.

A call of an actor goes through the scheduler, two event loops and a pool of threads. Here a thread
of the worker waits for the next question, and the caller's for the answer. Encrypted where the
cluster is; only who has been told its secret, through the cluster, can ask.
"""

from __future__ import annotations

import contextlib
import hmac
import secrets
import socket
import struct
import threading
import weakref
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Asked = list[tuple[int, int, NDArray[Any]]]
"""A question, or two that go together: what, whose it is, and about what."""

Offer = tuple[int, bytes]
"""A port and the secret of who may ask there."""

_CALLED_WITHIN = 30.0
"""Seconds in which one must call that has been made an offer."""
_PATIENCE = 10.0
"""Seconds in which something must move that needs no work of the other side."""
_KEEPALIVE = (
    ("TCP_KEEPIDLE", 60),
    ("TCP_KEEPALIVE", 60),
    ("TCP_KEEPINTVL", 20),
    ("TCP_KEEPCNT", 6),
)
"""Who vanished without a word is noticed within three minutes, not in the hours of most systems."""
_HEAD = struct.Struct("<3q")  # how many are forgotten, how many questions, bytes that follow
_QUESTION = struct.Struct("<3q")  # what, owner, how many numbers
_ANSWER = struct.Struct("<q")  # how many numbers follow; or
_REFUSED = -1
_READY = _ANSWER.pack(0)
_SECRET = 32


class BrokenLineError(Exception):
    """No answer comes this way; an actor's call gives it, or says why there is none."""


class ClosedError(OSError):
    """The other side has gone, or asks no more by this line."""


class Holder(Protocol):
    """Who has rows."""

    def answer(self, forgotten: list[int], asked: list[Asked], line: int) -> NDArray[Any]:
        """Return the last answer to what comes by the line of this number."""


class Line:
    """
    The asking end.

    Parameters
    ----------
    worker : str
        Address of the worker that made the offer.
    offer : tuple of int and bytes
        What :func:`offer` gave there.
    security : distributed.Security
        The client's.

    Raises
    ------
    OSError
        Where it cannot be reached.
    """

    def __init__(self, worker: str, offer: Offer, security: Any) -> None:
        port, secret = offer
        self._socket = socket.create_connection((_host(worker), port), timeout=_PATIENCE)
        try:
            if worker.startswith("tls://"):
                context = security.get_connection_args("client")["ssl_context"]
                self._socket = context.wrap_socket(self._socket)
            _tune(self._socket)
            self._socket.sendall(secret)
            self._expect(_ANSWER.size)
            self._go_on()
        except BaseException:
            self._socket.close()
            raise
        weakref.finalize(self, self._socket.close)
        self.owes = False
        """Whether an answer is still to come, which may be nobody's any more."""

    def ask(self, forgotten: list[int], asked: Asked) -> None:
        """Send a question."""
        self.owes = True
        self._out: NDArray[Any] | None = None
        parts = [struct.pack(f"<{len(forgotten)}q", *forgotten)]
        for what, owner, about in asked:
            parts += [_QUESTION.pack(what, owner, len(about)), _raw(about)]
        body = b"".join(parts)
        try:
            self._socket.settimeout(_PATIENCE)
            _send(self._socket, _HEAD.pack(len(forgotten), len(asked), len(body)) + body)
        except OSError as error:
            self._socket.close()
            raise BrokenLineError from error
        self._expect(_ANSWER.size)

    def result(self, timeout: float) -> NDArray[Any]:
        """Return the answer; TimeoutError if it has not come yet, and can be waited for again."""
        try:
            self._socket.settimeout(timeout)
            self._go_on()
            if self._out is None:
                (size,) = _ANSWER.unpack(self._room)
                if size == _REFUSED:
                    self.owes = False
                    raise BrokenLineError
                self._out = np.frombuffer(self._expect(8 * size))
                self._go_on()
        except TimeoutError:
            raise
        except OSError as error:
            self._socket.close()
            raise BrokenLineError from error
        self.owes = False
        return self._out

    def _expect(self, size: int) -> bytearray:
        self._room = bytearray(size)
        self._left = memoryview(self._room)
        return self._room

    def _go_on(self) -> None:
        while self._left:
            self._left = self._left[_some(self._socket, self._left) :]


def offer(holder: Holder, number: int) -> Offer | None:
    """
    Have a thread of this worker wait for questions; None where it has no sockets.

    The holder is told the `number` with each, and need not answer what comes late.
    """
    from distributed import get_worker  # noqa: PLC0415

    worker = get_worker()
    if not worker.address.startswith(("tcp://", "tls://")):
        return None
    context = None
    if worker.address.startswith("tls://"):
        context = worker.security.get_listen_args("worker")["ssl_context"]
    host = _host(worker.address)
    try:
        family = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, 0), family=family)
    except OSError:  # what it is called by is not its own
        return None
    secret = secrets.token_bytes(_SECRET)
    threading.Thread(
        target=_serve,
        args=(listener, context, secret, weakref.ref(holder), number),
        name="fastgrok-line",
        daemon=True,
    ).start()
    return listener.getsockname()[1], secret


def _host(address: str) -> str:
    from distributed.comm.addressing import get_address_host  # noqa: PLC0415

    return str(get_address_host(address))


def _tune(line: socket.socket) -> None:
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE:  # not every system has all
        if hasattr(socket, name):
            line.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _raw(numbers: NDArray[Any]) -> bytes:
    return np.ascontiguousarray(numbers, np.float64).tobytes()


def _send(line: socket.socket, data: bytes) -> None:
    """Send all; it may take as long as some of it goes now and then, unlike with `sendall`."""
    left = memoryview(data)
    while left:
        left = left[line.send(left) :]


def _some(line: socket.socket, room: memoryview) -> int:
    got = line.recv_into(room)
    if not got:
        raise ClosedError
    return got


def _read(line: socket.socket, size: int) -> bytearray:
    out = bytearray(size)
    left = memoryview(out)
    while left:
        left = left[_some(line, left) :]
    return out


def _serve(
    listener: socket.socket,
    context: Any,
    secret: bytes,
    holder: weakref.ref[Holder],
    number: int,
) -> None:
    """Answer until the other side has gone, or the rows."""
    with contextlib.suppress(OSError), _called(listener, context, secret) as line:
        held = holder()
        if held is None:
            return
        weakref.finalize(held, _hang_up, line).atexit = False
        del held
        line.sendall(_READY)
        while True:
            forgotten, count, size = _HEAD.unpack(_read(line, _HEAD.size))
            line.sendall(_answer(holder(), number, *_heard(_read(line, size), forgotten, count)))


def _heard(body: bytearray, forgotten: int, count: int) -> tuple[list[int], Asked]:
    owners = list(struct.unpack_from(f"<{forgotten}q", body))
    at = 8 * forgotten
    asked = []
    for _ in range(count):
        what, owner, size = _QUESTION.unpack_from(body, at)
        at += _QUESTION.size
        asked.append((what, owner, np.frombuffer(body, count=size, offset=at)))
        at += 8 * size
    return owners, asked


def _answer(holder: Holder | None, number: int, forgotten: list[int], asked: Asked) -> bytes:
    if holder is None:
        raise ClosedError
    try:
        out = holder.answer(forgotten, [asked], number)
    except ClosedError:
        raise
    except Exception:  # who asks finds out what by an actor's call
        return _ANSWER.pack(_REFUSED)
    return _ANSWER.pack(len(out)) + _raw(out)


def _called(listener: socket.socket, context: Any, secret: bytes) -> socket.socket:
    """Wait for the one that knows the secret."""
    with listener:
        listener.settimeout(_CALLED_WITHIN)
        while True:
            line, _ = listener.accept()
            try:
                line.settimeout(_PATIENCE)
                if context is not None:
                    line = context.wrap_socket(line, server_side=True)
                if hmac.compare_digest(_read(line, _SECRET), secret):
                    _tune(line)
                    line.settimeout(None)
                    return line
            except OSError:
                pass
            line.close()


def _hang_up(line: socket.socket) -> None:
    with contextlib.suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)
