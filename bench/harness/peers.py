"""The peers, how they isolate and what they keep, and the conversation with their drivers."""

import json
import os
import subprocess
import threading
import time
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
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
CRONER = Peer("croner", "croner", "R none", "D0", ("croner",))
NODE_CRON = Peer("node-cron", "node-cron", "R none", "D0", ("node-cron",))


class Driver:
    """A peer's driver, set up and waiting for its work."""

    def __init__(self, process, lines, errors, service):
        self.process = process
        self.lines = lines
        self.errors = errors
        self.roots = [process.pid, *([service] if service else [])]

    def go(self, tick=None):
        """Has it work; calls `tick` ten times a second. What it tells, CPU seconds, wall seconds."""
        watch = CpuWatch(*self.roots)
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        told = self.wait("result", tick)
        return told, *watch.read()

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
                raise Missing(f"it ended: {self._last_words()}")
            if line.startswith(word + " "):
                return json.loads(line[len(word) + 1 :])
        raise Missing(f"no {word} within {PATIENCE} s: {self._last_words()}")

    def _last_words(self):
        lines = [line.strip() for line in self.errors.read_text(errors="replace").splitlines() if line.strip()]
        telling = [line for line in lines if "Error" in line]
        return (telling or lines or ["it said nothing"])[0][:200]


@contextmanager
def driver(lab, peer, work, **options):
    """A driver of `peer` with the service it needs."""
    node = lab.peers.node()
    for package in peer.packages:
        lab.peers.package(package)
    with peer.service(lab) if peer.service else nullcontext((None, {})) as (service, where):
        errors = lab.fresh_directory("driver") / "stderr"
        told = {"work": work, **options, **peer.options, **where}
        command = [node, *peer.flags, PLACE / "driver.js", peer.file, json.dumps(told)]
        environment = {**os.environ, "NODE_PATH": str(lab.peers.npm / "node_modules"), "NODE_ENV": "production"}
        with errors.open("wb") as stderr:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, env=environment, text=True
            )
        lines = Queue()
        reader = threading.Thread(target=_read, args=(process.stdout, lines), daemon=True)
        reader.start()
        try:
            waiting = Driver(process, lines, errors, service)
            waiting.wait("ready")
            yield waiting
        finally:
            process.stdin.close()
            try:
                process.wait(3)
            except subprocess.TimeoutExpired:
                stop(process, within=1)


def _read(stream, lines):
    for line in stream:
        lines.put(line)
    lines.put(None)
