"""What handlers tell of themselves over HTTP, in the order in which it arrives, kept by a process of its own."""

import asyncio
import contextlib
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


@dataclass(frozen=True)
class Line:
    """`what` is start, goes or end."""

    what: str
    task: str
    time: int
    attempt: int


class Diary:
    """A running one."""

    def __init__(self, url, file):
        self.url, self.file = url, file

    def lines(self):
        """All that has been told so far."""
        parts = (line.split("/") for line in self.file.read_text().splitlines())
        return [Line(what, task, int(time), int(attempt)) for what, task, time, attempt in parts]


@contextlib.contextmanager
def diary(lab):
    """A diary that takes lines."""
    file = lab.fresh_directory("diary") / "lines"
    file.touch()
    process = subprocess.Popen([sys.executable, __file__, file], stdout=subprocess.PIPE, text=True)
    try:
        yield Diary(f"http://127.0.0.1:{process.stdout.readline().strip()}/", file)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


class _Pages(asyncio.Protocol):
    def __init__(self, file):
        self.file, self.text = file, b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.text += data
        # The requests have no body.
        *heads, self.text = self.text.split(b"\r\n\r\n")
        for head in heads:
            # GET /start/… HTTP/1.1
            self.file.write(head.split(b" ", 2)[1][1:] + b"\n")
            self.transport.write(ANSWER)
        self.file.flush()


async def _serve(file):
    server = await asyncio.get_running_loop().create_server(lambda: _Pages(file), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    with Path(sys.argv[1]).open("ab") as opened:
        asyncio.run(_serve(opened))
