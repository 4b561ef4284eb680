# ruff: noqa: INP001 - gunicorn reads this file by its path
"""How gunicorn runs the front door. Address and size come from [web] in the configuration.

gunicorn --config config/gunicorn.conf.py 'scim_bridge.web.wsgi:make_app()'
"""

import gc
import logging
import signal
from pathlib import Path
from typing import Any

from scim_bridge import reading

with reading.undisturbed():
    # Read from here, a fifth faster than from deep within what the application reads: for each model that is made, the
    # library looks for its text in all that is being called, and among all that has been read.
    import scim2_models  # noqa: F401
    from scim2_server import service  # noqa: F401

    from scim_bridge.domain import models
    from scim_bridge.intake.scim import messages

    # Held here, so that each process finds them made.
    _messages = messages.made_for(tuple(models.MODELS.values()))

    # Read once here, shared by all processes that are forked from this one.
    from scim2_server import cursor  # noqa: F401

    from scim_bridge import logs, wiring
    from scim_bridge.recording import configurations, versions  # noqa: F401
    from scim_bridge.store import migrate  # noqa: F401 - each process would read it for its first /readyz
    from scim_bridge.supervisor import leash
    from scim_bridge.web import wsgi  # noqa: F401
    from scim_bridge.web.spread import Spread

_settings = wiring.load_settings("web")

# /metrics is only on the second.
bind = [_settings.web.bind, _settings.web.admin_bind]
workers = _settings.web.workers
threads = _settings.web.threads
# Threads behind a loop of our own: a request reaches a thread only when it has arrived whole.
worker_class = "scim_bridge.web.front_door.FrontDoor"
worker_connections = _settings.web.max_connections
# Answers pass through memory; there is no socket to send a file to.
sendfile = False
# Each process accepts on a socket of its own, so a new master can bind while processes of a killed one still end.
# The kernel deals connections out by chance; the processes even that out among themselves.
reuse_port = True
_spread = Spread(workers)
keepalive = 75
# A process that hangs is killed after this; a single request is limited to far less by its own deadlines.
timeout = 60
# Less than the 15 s that `up` gives the whole front door.
graceful_timeout = 12
umask = 0o077
# gthread tells its master that it lives through a file; on a slow disk that would look like a hang.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - private and empty, gunicorn unlinks it
# SCIM filters stand in the request line. gunicorn knows no limit between 8,190 bytes and none; the worker has its own.
limit_request_line = 0
# What proxies say of a request is heard by the application, as web.trusted_proxies tells; nobody is trusted unasked.
forwarded_allow_ips = ""
control_socket_disable = True
# The application logs requests itself, without personal data.
accesslog = None
errorlog = "-"
loglevel = "warning"


class _WithoutRequests(logging.Filter):
    """Keeps requests and what exceptions say out of gunicorn's own log: filters, tokens and people stand in them."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Shorten the two messages that quote a request, and describe an exception as our own log does."""
        if record.exc_info and record.exc_info[1] is not None:
            # A formatter takes this text when there is one.
            record.exc_text = logs.describe_exception(record.exc_info[1])
        text = str(record.msg)
        for opening in ("Invalid request", "Error handling request"):
            if text.startswith(opening):
                record.msg, record.args = opening, ()
        return True


def pre_fork(server: Any, worker: Any) -> None:
    """Give a process a place among the others."""
    worker.spread = _spread
    worker.place = _spread.free_place([each.place for each in server.WORKERS.values()])


def post_fork(server: Any, worker: Any) -> None:
    """End with the master, whatever ends it. A killed master's successor must not share the port with old processes."""
    if not leash.die_with_parent(signal.SIGKILL, parent=server.pid):
        worker.alive = False
    # Every request asks for a dozen settings, and gunicorn would look each up by two calls.
    worker.cfg.__dict__.update({name: setting.get() for name, setting in worker.cfg.settings.items()})


def on_starting(server: Any) -> None:
    """Keep requests out of the log, in the master and in all that it forks; leave to these what was read as it is.

    A search for garbage among it would take each of them a tenth of a second, and a copy of much of it.
    """
    gc.freeze()
    server.log.error_log.addFilter(_WithoutRequests())
