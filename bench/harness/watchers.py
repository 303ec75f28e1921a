"""Those who look on while a server works: listeners of its events, and its dashboard in a browser."""

import json
import subprocess
import time
import urllib.request
from dataclasses import dataclass

from .install import Missing
from .processes import stop

#: Of a page: the events have reached it.
LIVE = "return document.body.dataset.live === 'yes'"
#: Fills the form of the login and sends it.
LOG_IN = "const token = document.querySelector('input[name=token]'); token.value = arguments[0]; token.form.requestSubmit();"
ARGUMENTS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]


def ask(url, /, **body):
    """Sends a command to the browser; its value."""
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["value"]


@dataclass(frozen=True)
class Watch:
    """Who looks on."""

    streams: int
    tab: bool


class Watchers:
    """They look on until they are stopped."""

    def __init__(self):
        self.processes, self.session = [], None

    def look_on(self, watch, server):
        """Begins."""
        address = "{}:{}".format(*server.address)
        token = self._viewer(server) if watch.streams else ""
        for _ in range(watch.streams):
            listen = ["curl", "-sN", "-H", f"Authorization: Bearer {token}", f"http://{address}/admin/events"]
            self.processes.append(subprocess.Popen(listen, stdout=subprocess.DEVNULL))
        if watch.tab:
            self._open_dashboard(f"http://{address}", server.token)

    def _viewer(self, server):
        """The listeners' own token: one token has a bound on its streams."""
        status, answer = server.ask("POST", "/admin/tokens", {"name": "listeners", "role": "viewer"})
        if status != 201:
            raise Missing(f"no token for listeners: {answer}")
        return answer["token"]

    def _open_dashboard(self, base, token):
        driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True)
        self.processes.append(driver)
        port = next(line.rstrip(".\n").rsplit(" ", 1)[1] for line in driver.stdout if "successfully on port" in line)

        sessions = f"http://127.0.0.1:{port}/session"
        options = {"goog:chromeOptions": {"args": ARGUMENTS}}
        self.session = f"{sessions}/{ask(sessions, capabilities={'alwaysMatch': options})['sessionId']}"
        ask(f"{self.session}/url", url=f"{base}/login")
        ask(f"{self.session}/execute/sync", script=LOG_IN, args=[token])
        until = time.monotonic() + 20
        while not ask(f"{self.session}/execute/sync", script=LIVE, args=[]):
            if time.monotonic() > until:
                raise Missing("the dashboard heard of no events within 20 s")
            time.sleep(0.1)

    def stop(self):
        """Closes what they have open."""
        if self.session:
            urllib.request.urlopen(urllib.request.Request(self.session, method="DELETE")).close()
        for process in self.processes:
            stop(process)
