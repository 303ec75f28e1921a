"""Redis and PostgreSQL, started for one measurement and stopped after it."""

import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

from .install import Missing
from .processes import stop

REDIS = ("redis-server", "redis-server", ["/usr/bin/redis-server"])
POSTGRES = ("postgres", "postgresql", ["/usr/lib/postgresql/*/bin/postgres"])


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


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
    port, log = _free_port(), place / "log"
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
    """PostgreSQL as Debian sets it up, so every commit is on disk before it is acknowledged."""
    program, environment = lab.peers.service(*POSTGRES)
    programs, environment = Path(program).parent, {**os.environ, **environment}
    place = lab.fresh_directory("postgres")
    port, log, data = _free_port(), place / "log", place / "data"
    more = {"env": environment, "cwd": place}
    if os.geteuid() == 0:
        # It refuses to run as root.
        shutil.chown(place, "nobody", "nogroup")
        more |= {"user": "nobody", "group": "nogroup", "extra_groups": []}
    command = [programs / "initdb", "-D", data, "-A", "trust", "-U", "bench", "-E", "UTF8", "--locale=C", "--no-sync"]
    made = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)
    if made.returncode != 0:
        raise Missing(f"initdb failed: {made.stdout.strip()[-200:]}")
    options = ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
    with log.open("wb") as output:
        command = [program, "-D", data, "-p", str(port), *options]
        process = subprocess.Popen(command, stdout=output, stderr=output, **more)
    try:
        _wait_for(port, process, log)
        yield process.pid, {"url": f"postgres://bench@127.0.0.1:{port}/postgres"}
    finally:
        process.send_signal(2)  # A fast stop; SIGTERM waits for clients.
        stop(process)
        shutil.rmtree(place, ignore_errors=True)
