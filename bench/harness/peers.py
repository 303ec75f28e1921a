"""The peers, how they isolate and what they keep, and the conversation with their drivers."""

import json
import os
import subprocess
import threading
import time
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from queue import Empty, Queue

from . import services
from .install import Missing
from .processes import CpuWatch, stop

PLACE = Path(__file__).resolve().parent.parent / "peers"
#: Seconds that setting up, or working, may take.
PATIENCE = 120


@dataclass(frozen=True)
class Peer:
    """One way of running handlers that isochron is held against."""

    system: str
    file: str
    isolation: str
    durability: str
    packages: tuple = ()
    service: object = None
    flags: tuple = ()
    options: dict = field(default_factory=dict, hash=False)


_EVERYSEC = partial(services.redis, appendfsync="everysec")
_ALWAYS = partial(services.redis, appendfsync="always")

_BULLMQ = ("bullmq", "ioredis")

NODE = Peer("Node, in its own process", "node", "R none", "D0")
FORK = Peer("child_process.fork", "fork", "F process", "D0")
BREE = Peer("bree", "bree", "F thread", "D0", ("bree",))
ISOLATED_VM = Peer("isolated-vm, fresh isolate", "isolated-vm", "F isolate", "D0", ("isolated-vm",), flags=("--no-node-snapshot",))
PISCINA = Peer("piscina", "piscina", "R thread", "D0", ("piscina",))
BULLMQ = Peer("bullmq", "bullmq", "R none", "D2", _BULLMQ, _ALWAYS)
BULLMQ_EVERYSEC = Peer("bullmq", "bullmq", "R none", "D1", _BULLMQ, _EVERYSEC)
BULLMQ_SANDBOXED = Peer("bullmq, sandboxed", "bullmq", "R process", "D2", _BULLMQ, _ALWAYS, options={"sandboxed": True})
GRAPHILE = Peer("graphile-worker", "graphile-worker", "R none", "D2", ("graphile-worker",), services.postgres)
PG_BOSS = Peer("pg-boss", "pg-boss", "R none", "D2", ("pg-boss",), services.postgres)
PG_BOSS_BEATS = replace(PG_BOSS, system="pg-boss, heartbeat 10 s", options={"heartbeat": 10})
CRONER = Peer("croner", "croner", "R none", "D0", ("croner",))
NODE_CRON = Peer("node-cron", "node-cron", "R none", "D0", ("node-cron",))


class Driver:
    """A peer's process, set up and waiting for its work."""

    def __init__(self, process, errors, service):
        self.process = process
        self.errors = errors
        self.roots = [process.pid, *([service] if service else [])]
        #: What it has told as it happened: runs that have begun, and starts by number and moment.
        self.begun, self.starts = [], []
        self.lines = Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def go(self, tick=None):
        """Has it work; calls `tick` ten times a second. What it tells, CPU seconds, wall seconds."""
        watch = CpuWatch(*self.roots)
        return self.tell(tick), *watch.read()

    def tell(self, tick=None, **told):
        """Has it work on something; what it tells of it in the end."""
        self.process.stdin.write(json.dumps(told) + "\n")
        self.process.stdin.flush()
        return self.wait("result", tick)

    def wait(self, word, tick=None):
        """Waits for a line that starts with `word`."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            try:
                line = self.lines.get(timeout=0.1 if tick else until - time.monotonic())
            except Empty:
                if tick:
                    tick()
                continue
            if line is None:
                raise Missing(f"it ended: {self.last_words()}")
            if line.startswith(word + " "):
                return json.loads(line[len(word) + 1 :])
        raise Missing(f"no {word} within {PATIENCE} s: {self.last_words()}")

    def last_words(self):
        """What it has said of errors."""
        lines = [line.strip() for line in self.errors.read_text(errors="replace").splitlines() if line.strip()]
        telling = [line for line in lines if "rror: " in line]
        return (telling or lines or ["it said nothing"])[0][:200]

    def _read(self):
        for line in self.process.stdout:
            word, _, value = line.partition(" ")
            if word == "begun":
                self.begun.append(json.loads(value))
            elif word == "start":
                self.starts.append(json.loads(value))
            else:
                self.lines.put(line)
        self.lines.put(None)


@contextmanager
def driver(lab, peer, work, **options):
    """A process of `peer` with the service it needs."""
    with peer.service(lab) if peer.service else nullcontext((None, {})) as (service, where):
        with process(lab, peer, work, service, **options, **where) as waiting:
            waiting.wait("ready")
            yield waiting


@contextmanager
def process(lab, peer, work, service=None, **options):
    """A process of `peer`, with a service that is there. It is ready when it says so."""
    node = lab.peers.node()
    for package in peer.packages:
        lab.peers.package(package)
    errors = lab.fresh_directory("driver") / "stderr"
    told = {"work": work, **options, **peer.options}
    command = [node, *peer.flags, PLACE / "driver.js", peer.file, json.dumps(told)]
    environment = {**os.environ, "NODE_PATH": str(lab.peers.npm / "node_modules"), "NODE_ENV": "production"}
    with errors.open("wb") as stderr:
        started = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, env=environment, text=True
        )
    try:
        yield Driver(started, errors, service)
    finally:
        started.stdin.close()
        try:
            started.wait(3)
        except subprocess.TimeoutExpired:
            stop(started, within=1)
