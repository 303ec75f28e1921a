"""isochron itself: started in a directory of its own, asked over its API."""

import itertools
import json
import os
import secrets
import shutil
import subprocess
import time
from pathlib import Path

from .client import flood
from .install import Missing
from .processes import children, memory, stop, tree
from .watchers import Watchers

HANDLERS = Path(__file__).resolve().parent.parent / "handlers"
#: A moment that no measurement reaches: for tasks that are only run by hand.
NEVER = "2090-01-01T00:00:00Z"


class Server:
    """A server that listens."""

    def __init__(self, lab, place=None, **settings):
        self.place = place or lab.fresh_directory("isochron")
        self.keep = place is not None
        self.token = secrets.token_hex(32)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ISOCHRON_")}
        environment |= {
            "ISOCHRON_LISTEN": "127.0.0.1:0",
            "ISOCHRON_DATA": str(self.place / "data"),
            "ISOCHRON_TASKS": str(HANDLERS),
            "ISOCHRON_ADMIN_TOKEN": self.token,
            **{f"ISOCHRON_{name}": str(value) for name, value in (lab.settings | settings).items()},
        }
        self.log = self.place / "log"
        began = time.monotonic()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [lab.binary], stdout=subprocess.PIPE, stderr=log, env=environment, cwd=self.place, text=True
            )
        self.address = self._listening()
        self.listening_after = time.monotonic() - began
        while self.ask("GET", "/ready")[0] != 200:
            time.sleep(0.005)
        self.ready_after = time.monotonic() - began
        self.watchers = Watchers()
        try:
            self.watchers.look_on(lab.watch, self)
        except Exception:
            self.__exit__()
            raise

    def _listening(self):
        for line in self.process.stdout:
            if line.startswith("listening on "):
                host, port = line.split("://")[1].strip().rsplit(":", 1)
                return host, int(port)
        words = self.log.read_text(errors="replace").strip().splitlines()[-1:]
        raise Missing(f"the server did not start: {' '.join(words)[:200]}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.watchers.stop()
        stop(self.process, within=40)
        if not self.keep:
            shutil.rmtree(self.place, ignore_errors=True)

    @property
    def pid(self):
        """The server's process."""
        return self.process.pid

    def runners(self):
        """The processes below it."""
        return tree(self.pid)[1:]

    def private_of_runners(self):
        """Private MiB of all processes below it: a runner may be three, and all may have one more together."""
        return sum(memory(pid)[1] for pid in self.runners())

    def private_per_runner(self):
        """Private MiB of all processes below it, divided by the runners."""
        return self.private_of_runners() / sum(name != "template" for _, name in children(self.pid))

    def request(self, method, path, body=None):
        """The bytes of a request."""
        content = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self.token}\r\n"
        if body is not None:
            head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
        elif method == "POST":
            head += "Content-Length: 0\r\n"
        return head.encode() + b"\r\n" + content

    def ask(self, method, path, body=None):
        """One request; the status and the document."""
        answers = []
        requests = iter([self.request(method, path, body)])
        flood(self.address, 1, lambda _: next(requests, None), lambda _, *answer: answers.append(answer))
        status, text, _ = answers[0]
        return status, json.loads(text)

    def many(self, requests, lanes):
        """All requests, `lanes` at a time: answers (status, body, seconds) in order of arrival, and the time."""
        requests, answers = iter(requests), []
        seconds = flood(
            self.address, lanes, lambda _: next(requests, None), lambda _, *answer: answers.append(answer)
        )
        bad = [answer for answer in answers if answer[0] >= 300]
        if bad:
            raise Missing(f"{len(bad)} of {len(answers)} requests failed: {bad[0][0]} {bad[0][1][:160]!r}")
        return answers, seconds

    def create(self, bodies, lanes=64):
        """Tasks with names of their own; their keys by name, and the seconds it took."""
        requests = (self.request("POST", "/admin/scheduler", body) for body in bodies)
        answers, seconds = self.many(requests, lanes)
        made = (json.loads(body)["task"] for _, body, _ in answers)
        return {task["name"]: task["_key"] for task in made}, seconds

    def by_hand(self, handler, count, **more):
        """Tasks that never run by themselves; their keys."""
        bodies = (task(f"{handler}-{i}", handler, NEVER, **more) for i in range(count))
        return list(self.create(bodies)[0].values())

    def run_by_hand(self, keys, runs=None, seconds=None):
        """Closed loop, one lane per task: `runs` altogether, or for `seconds`. Answers and the time."""
        requests = [self.request("POST", f"/admin/scheduler/{key}/actions/run?wait=true") for key in keys]
        left, until = itertools.count(1), time.monotonic() + (seconds or 0)
        answers = []

        def next_request(lane):
            go_on = time.monotonic() < until if seconds else next(left) <= runs
            return requests[lane] if go_on else None

        took = flood(self.address, len(keys), next_request, lambda _, *answer: answers.append(answer))
        failed = [body for status, body, _ in answers if status != 200 or b'"status":"completed"' not in body]
        if failed:
            raise Missing(f"{len(failed)} of {len(answers)} runs failed: {failed[0][:200]!r}")
        return answers, took

    def tasks(self):
        """Every task document, with its newest executions."""
        for skip in itertools.count(0, 100):
            page = self.ask("GET", f"/admin/scheduler?sortBy=createdAt&limit=100&skip={skip}")[1]
            yield from page["tasks"]
            if skip + 100 >= page["total"]:
                return

    def executions(self, key):
        """The newest executions of a task."""
        return self.ask("GET", f"/admin/scheduler/{key}/executions?limit=50")[1]["executions"]

    def result_of(self, key, within):
        """The result of a task's newest run, once it has completed."""
        until = time.monotonic() + within
        while time.monotonic() < until:
            results = [run["result"] for run in self.executions(key) if run["result"]]
            if results:
                return results[0]
            time.sleep(0.01)
        raise Missing(f"a task did not run within {within} s")

    def total(self, status):
        """How many tasks have a status."""
        return self.ask("GET", f"/admin/scheduler?limit=1&status={status}")[1]["total"]

    def wait_until_over(self, last_due, within):
        """Waits until no task is active or running: asks seldom, and not at all before the last is due."""
        time.sleep(max(0.0, last_due / 1000 - time.time()) + 0.2)
        until = time.monotonic() + within
        while self.total("active") + self.total("running"):
            if time.monotonic() > until:
                raise Missing(f"tasks were left after {within} s")
            time.sleep(0.2)


def task(name, handler, schedule, **more):
    """A create body."""
    return {"name": name, "description": "", "handler": handler, "schedule": str(schedule), **more}
