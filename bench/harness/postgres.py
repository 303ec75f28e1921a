"""PostgreSQL as Debian sets it up: every commit is on disk before it is acknowledged."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from .install import Missing
from .processes import stop

PROGRAM = ("postgres", "postgresql", ["/usr/lib/postgresql/*/bin/postgres"])
USER = "bench"


def free_port():
    """A port that nobody has at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Database:
    """A server, or a standby of one. It can be stopped, started and promoted."""

    def __init__(self, lab, settings=(), primary=None):
        program, environment = lab.peers.service(*PROGRAM)
        self.lab, self.settings = lab, settings
        self.programs = Path(program).resolve().parent
        self.place = lab.fresh_directory("postgres")
        self.port = free_port()
        self.process = None
        self._more = {"env": {**os.environ, **environment}, "cwd": self.place}
        if os.geteuid() == 0:
            # It refuses to run as root.
            shutil.chown(self.place, "nobody", "nogroup")
            self._more |= {"user": "nobody", "group": "nogroup", "extra_groups": []}
        data = ["-D", self.place / "data"]
        if primary:
            copy = ["-R", "-X", "stream", "-c", "fast", "--no-sync", "-d", primary.url]
            self._run("pg_basebackup", *data, *copy)
        else:
            self._run("initdb", *data, "-A", "trust", "-U", USER, "-E", "UTF8", "--locale=C", "--no-sync")
        self.start()

    @property
    def pid(self):
        """The process that has started all others of it."""
        return self.process.pid

    @property
    def url(self):
        """Where clients connect."""
        return self.url_at(self.port)

    @staticmethod
    def url_at(*ports):
        """The same at other ports, such as that of a relay: the first that takes writes is meant."""
        hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
        return f"postgres://{USER}@{hosts}/postgres"

    def start(self):
        """Starts it, and waits until it takes connections."""
        options = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", **dict(self.settings)}
        arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        log = self.place / "log"
        with log.open("ab") as output:
            command = [self.programs / "postgres", "-D", self.place / "data", "-p", str(self.port), *arguments]
            self.process = subprocess.Popen(command, stdout=output, stderr=output, **self._more)
        until = time.monotonic() + 20
        while self._ask("SELECT 1").returncode:
            if self.process.poll() is not None or time.monotonic() > until:
                stop(self.process)
                raise Missing(f"PostgreSQL did not start: {log.read_text(errors='replace').strip()[-200:]}")
            time.sleep(0.02)

    def stop(self):
        """A fast stop: its clients are sent away, and what they have begun is undone."""
        self.process.send_signal(signal.SIGINT)
        stop(self.process)

    def crash(self):
        """All its processes end at once, as with a loss of power."""
        self.process.send_signal(signal.SIGQUIT)
        stop(self.process)

    def ask(self, statement):
        """The answer to a statement, as text."""
        said = self._ask(statement)
        if said.returncode:
            raise Missing(f"{statement}: {said.stderr.strip()[-200:]}")
        return said.stdout.strip()

    def await_answer(self, statement, wanted, within=20):
        """Waits until a statement has an answer."""
        until = time.monotonic() + within
        while self.ask(statement) != wanted:
            if time.monotonic() > until:
                raise Missing(f"{statement} was not {wanted} within {within} s")
            time.sleep(0.02)

    def remove(self):
        """Stops it and removes its data."""
        if self.process.poll() is None:
            self.stop()
        shutil.rmtree(self.place, ignore_errors=True)

    def _ask(self, statement):
        command = [self.programs / "psql", "-XAtq", "-c", statement, self.url]
        return subprocess.run(command, capture_output=True, text=True, **self._more)

    def _run(self, program, *arguments):
        done = subprocess.run(
            [self.programs / program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **self._more
        )
        if done.returncode != 0:
            raise Missing(f"{program} failed: {done.stdout.strip()[-200:]}")


@contextlib.contextmanager
def database(lab, settings=(), primary=None):
    """A server that is removed in the end."""
    made = Database(lab, settings, primary)
    try:
        yield made
    finally:
        made.remove()


@contextlib.contextmanager
def synchronous_pair(lab):
    """A server and a standby that has every commit before it is acknowledged."""
    with database(lab) as primary, database(lab, primary=primary) as standby:
        # The standby has its copy of the settings, and waits for nobody once it is promoted.
        primary.ask("ALTER SYSTEM SET synchronous_standby_names = '*'")
        primary.ask("SELECT pg_reload_conf()")
        primary.await_answer("SELECT sync_state FROM pg_stat_replication", "sync")
        yield primary, standby
