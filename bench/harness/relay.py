"""A link to a database on loopback, in a process of its own: it can be cut, fall silent, or lead to another database."""

import asyncio
import contextlib
import subprocess
import sys

WORKS, CUT, SILENT = "works", "cut", "silent"


class Relay:
    """A running link."""

    def __init__(self, process):
        self.process = process
        self.port = int(process.stdout.readline())

    def set(self, mode):
        """Passes on everything, ends all connections and takes no new ones, or lets nothing through."""
        self._tell(mode)

    def lead_to(self, port):
        """Where new connections go from now on; those that stand end."""
        self._tell(f"to {port}")

    def _tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        self.process.stdout.readline()


@contextlib.contextmanager
def relay(port):
    """A link to a port."""
    process = subprocess.Popen(
        [sys.executable, __file__, str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield Relay(process)
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


class _Link:
    """What the process does."""

    def __init__(self, port):
        self.port, self.mode = port, WORKS
        self.passes, self.writers = asyncio.Event(), set()
        self.passes.set()

    async def connected(self, near_reader, near_writer):
        self.writers.add(near_writer)
        far_writer = None
        try:
            if self.mode == CUT:
                return
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.port)
            self.writers.add(far_writer)
            ways = (self._pass_on(near_reader, far_writer), self._pass_on(far_reader, near_writer))
            # A side that has ended ends the other.
            await asyncio.wait(map(asyncio.create_task, ways), return_when=asyncio.FIRST_COMPLETED)
        except OSError:
            pass
        finally:
            for writer in filter(None, (near_writer, far_writer)):
                self.writers.discard(writer)
                writer.transport.abort()

    async def _pass_on(self, reader, writer):
        with contextlib.suppress(OSError):
            while part := await reader.read(1 << 16):
                await self.passes.wait()
                writer.write(part)
                await writer.drain()

    def obey(self, line):
        if line.startswith("to "):
            self.port = int(line[3:])
        else:
            self.mode = line
            self.passes.clear() if line == SILENT else self.passes.set()
        if line != WORKS and line != SILENT:
            for writer in list(self.writers):
                writer.transport.abort()


async def _serve(port):
    link = _Link(port)
    server = await asyncio.start_server(link.connected, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    loop = asyncio.get_running_loop()
    while line := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
        link.obey(line)
        print("done", flush=True)


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
