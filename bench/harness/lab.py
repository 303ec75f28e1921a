"""What all measurements share: the binary, the peers, a scratch directory, the scale."""

import os
import statistics
import tempfile
import time
from pathlib import Path


class Lab:
    """A place to measure in."""

    def __init__(self, binary, scratch, peers, quick, watch):
        self.binary = binary
        #: Who looks on while a server works.
        self.watch = watch
        self.scratch = scratch
        self.peers = peers
        self.quick = quick
        #: Faults of C3 at the most, minutes that it may take, and what its chance comes from.
        self.kills, self.minutes, self.seed = 1000, 30, 0
        #: Settings of each isochron, as its environment names them.
        self.settings = {}
        self.repetition = 0
        #: How much of `spin` is 10 ms here; B2 finds it out.
        self.spin_rounds = None
        self.cores = len(os.sched_getaffinity(0))

    def scaled(self, full, part=10):
        """A number of things to do: all of them, or a tenth for a quick look."""
        return max(8, full // part) if self.quick else full

    def fresh_directory(self, name):
        """An empty directory that others may pass through."""
        path = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.scratch))
        path.chmod(0o711)
        return path

    @staticmethod
    def own_cpu():
        """CPU seconds of this process so far: that of the HTTP client."""
        return time.process_time()

    def sync_ms(self):
        """Milliseconds that 512 bytes take to the disk: the floor of everything D2."""
        took = []
        with tempfile.TemporaryFile(dir=self.scratch) as file:
            for _ in range(20):
                began = time.monotonic()
                os.write(file.fileno(), b"x" * 512)
                os.fdatasync(file.fileno())
                took.append((time.monotonic() - began) * 1000)
        return statistics.median(took)
