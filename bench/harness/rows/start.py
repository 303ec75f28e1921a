"""B9: the binary's size, and the time from its start until it listens and until it is ready."""

import os

from ..case import ours
from ..server import Server
from ..stats import Figure

ID, TITLE = "B9", "size and start"
SIZE = Figure("binary", "MiB")
LISTENING, READY = Figure("start → listening", "ms", 0), Figure("start → ready", "ms", 0)


def cases():
    return [ours(_measure)]


def _measure(lab):
    with Server(lab) as server:
        return {
            SIZE: os.stat(lab.binary).st_size / 2**20,
            LISTENING: server.listening_after * 1000,
            READY: server.ready_after * 1000,
        }
