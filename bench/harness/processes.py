"""What processes cost: CPU time with that of the children they have reaped, and private memory."""

import os
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def _stat(pid):
    """The fields of /proc/<pid>/stat from the state on; None when it has gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return text[text.rindex(")") + 2 :].split()


def tree(root):
    """The process and everything below it."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (stat := _stat(entry)):
            children.setdefault(int(stat[1]), []).append(int(entry))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def children(parent):
    """The processes that it has started, and their names."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (stat := _stat(entry)) and int(stat[1]) == parent:
            try:
                found.append((int(entry), Path(f"/proc/{entry}/comm").read_text().strip()))
            except OSError:
                continue
    return found


def cpu_seconds(*roots):
    """User and system time of the trees, with that of children that have ended: it only grows."""
    ticks = 0
    for root in roots:
        for pid in tree(root):
            if stat := _stat(pid):
                # utime, stime, cutime, cstime: fields 14 to 17 of proc(5).
                ticks += sum(map(int, stat[11:15]))
    return ticks / TICKS


def memory(pid):
    """Resident and private MiB of one process; zeros when it has gone."""
    kib = {}
    try:
        for entry in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
            name, value = entry.split(":")
            kib[name] = int(value.split()[0])
    except (OSError, ValueError):
        return 0.0, 0.0
    private = kib.get("Private_Clean", 0) + kib.get("Private_Dirty", 0)
    return kib.get("Rss", 0) / 1024, private / 1024


def private_of_tree(root):
    """Private MiB of the process and everything below it."""
    return sum(memory(pid)[1] for pid in tree(root))


def stop(process, within=10):
    """Asks a child to end, and sees to it."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(within)
        except Exception:
            process.kill()
    process.wait()


class CpuWatch:
    """CPU and wall time of trees from now on."""

    def __init__(self, *roots):
        self.roots = roots
        self.before = cpu_seconds(*roots)
        self.since = time.monotonic()

    def read(self):
        """CPU seconds, wall seconds."""
        wall = time.monotonic() - self.since
        return cpu_seconds(*self.roots) - self.before, wall
