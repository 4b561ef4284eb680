"""The front door's port: is it free, and kept for our web processes while they start again."""

import contextlib
import errno
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

from scim_bridge.supervisor.data_folder import CannotStart

PATIENCE_S = 3.0
"""How long the processes of a killed predecessor may take to let go of the port."""

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a TCP port to listen on."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self._in_url(self.host)}:{self.port}"

    @property
    def url(self) -> str:
        """Return where this machine's browser finds the address."""
        return f"http://{self._in_url(_EVERYWHERE.get(self.host, self.host))}:{self.port}"

    @staticmethod
    def _in_url(host: str) -> str:
        return f"[{host}]" if ":" in host else host


def parse(bind: str, *, port: int | None = None) -> Address:
    """Return the address that HOST:PORT names; `port` overrides its port.

    Raises:
        CannotStart: it is no HOST:PORT.
    """
    host, _, number = bind.rpartition(":")
    host = host.strip("[]")
    if not host or not number.isdigit():
        raise CannotStart(f'[web] names "{bind}" to listen on; it must be HOST:PORT, like 127.0.0.1:8080')
    return Address(host, int(number) if port is None else port)


@contextlib.contextmanager
def reserved(address: Address, *, patience_s: float = PATIENCE_S) -> Iterator[Address]:
    """Reserve a free port while the block runs; port 0 becomes one that is free.

    The reservation is a bound socket that does not listen: the web processes bind beside it (SO_REUSEPORT),
    programs of other people cannot, not even while ours are being started again.

    Raises:
        CannotStart: another program has the port, or the host is not one of this machine.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    port = _find_free(family, address, patience_s)
    with socket.socket(family, socket.SOCK_STREAM) as reservation:
        reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reservation.bind((address.host, port))
        yield Address(address.host, port)


def _find_free(family: socket.AddressFamily, address: Address, patience_s: float) -> int:
    """Return the port once nobody has it. Asked without SO_REUSEPORT, which would share it with a stranger of ours."""
    deadline = time.monotonic() + patience_s
    while True:
        with socket.socket(family, socket.SOCK_STREAM) as question:
            question.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                question.bind((address.host, address.port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise CannotStart(f"cannot listen on {address}: {error.strerror}") from error
                if time.monotonic() >= deadline:
                    raise CannotStart(
                        f"port {address.port} on {address.host} is taken by another program; stop it, "
                        "or choose another port (--port, or bind and admin_bind in [web])"
                    ) from error
            else:
                return int(question.getsockname()[1])
        time.sleep(0.1)
