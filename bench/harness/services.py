"""Redis and PostgreSQL, started for one measurement and stopped after it."""

import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager

from .install import Missing
from .postgres import database, free_port
from .processes import stop

REDIS = ("redis-server", "redis-server", ["/usr/bin/redis-server"])


def _wait_for(port, process, log, within=20):
    until = time.monotonic() + within
    while time.monotonic() < until:
        if process.poll() is not None:
            raise Missing(f"it ended at once: {log.read_text(errors='replace').strip()[-200:]}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    stop(process)
    raise Missing("it did not listen in time")


@contextmanager
def redis(lab, appendfsync):
    """Redis with its append-only file; yields its process id and what a peer needs to know."""
    program, environment = lab.peers.service(*REDIS)
    place = lab.fresh_directory("redis")
    port, log = free_port(), place / "log"
    options = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(place), "--save", ""]
    options += ["--appendonly", "yes", "--appendfsync", appendfsync]
    with log.open("wb") as output:
        command = [program, *options]
        process = subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, **environment})
    try:
        _wait_for(port, process, log)
        yield process.pid, {"port": port}
    finally:
        stop(process)
        shutil.rmtree(place, ignore_errors=True)


@contextmanager
def postgres(lab):
    """PostgreSQL; yields its process id and what a peer needs to know."""
    with database(lab) as made:
        yield made.pid, {"url": made.url}
