"""Holds the records of runs against what the handlers have told: is anything lost, doubled, stuck or made up?

It knows nothing of isochron but its documented records: an execution for each attempt of a planned time, and one with
`skippedCount` for planned times that were skipped.
"""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Account:
    """What is wrong, in words; all lists are empty if nothing is."""

    lost: list = field(default_factory=list)
    doubled: list = field(default_factory=list)
    overlapping: list = field(default_factory=list)
    stuck: list = field(default_factory=list)
    other: list = field(default_factory=list)

    def wrong(self):
        """Everything of it."""
        return self.lost + self.doubled + self.overlapping + self.stuck + self.other


def planned_times(account, name, rows, waiting, created, interval):
    """Each planned time from the creation to the last one known is to be in exactly one row, retries aside, or to wait."""
    ran = {row["scheduledFor"] for row in rows if row["status"] != "skipped"} | set(waiting)
    found = Counter({row["scheduledFor"] for row in rows if row["status"] != "skipped"})
    found.update(waiting)
    for row in rows:
        if row["status"] != "skipped":
            continue
        # The times of one skip follow each other; times that ran in between are not among them.
        time = row["scheduledFor"]
        for _ in range(row["skippedCount"]):
            while time in ran:
                time += interval
            found[time] += 1
            time += interval
    for time, count in found.items():
        if (time - created) % interval:
            account.other.append(f"{name}: {time} was never planned")
        if count > 1:
            account.doubled.append(f"{name}: {time} is in {count} rows")
    for time in range(created + interval, max(found, default=created), interval):
        if time not in found:
            account.lost.append(f"{name}: no row has {time}, which is {time - created} ms after the creation")


def attempts(account, name, rows):
    """The attempts of each planned time are 1, 2, 3 and so on, one has completed at the most, and all are over."""
    times = {}
    for row in rows:
        if row["status"] == "running":
            account.stuck.append(f"{name}: {row['scheduledFor']} still runs")
        if row["status"] == "failed" and row["reason"] not in ("lost", "crashed"):
            account.other.append(f"{name}: {row['scheduledFor']} failed: {row['reason']} {row.get('error')}")
        if row["status"] != "skipped":
            times.setdefault(row["scheduledFor"], []).append(row)
    for time, tries in times.items():
        if sorted(row["attempt"] for row in tries) != list(range(1, len(tries) + 1)):
            account.doubled.append(f"{name}: {time} has the attempts {sorted(row['attempt'] for row in tries)}")
        if sum(row["status"] == "completed" for row in tries) > 1:
            account.doubled.append(f"{name}: {time} has completed twice")


def diary(account, records, lines):
    """What the handlers have told: no attempt starts twice, none goes on once a later one has started, and the
    records have the same attempts."""
    rows = {
        (name, row["scheduledFor"], row["attempt"]): row
        for name, found in records.items()
        for row in found
        if row["status"] != "skipped"
    }
    told, newest = {"start": set(), "goes": set(), "end": set()}, {}
    for line in lines:
        time, attempt = (line.task, line.time), (line.task, line.time, line.attempt)
        if line.what == "start" and attempt in told["start"]:
            account.doubled.append(f"{line.task}: attempt {line.attempt} at {line.time} has started twice")
        if line.attempt < newest.get(time, 0):
            account.overlapping.append(f"{line.task}: attempt {line.attempt} at {line.time} {line.what} beside a later one")
        told[line.what].add(attempt)
        newest[time] = max(line.attempt, newest.get(time, 0))
    for name, time, attempt in told["start"] - rows.keys():
        account.lost.append(f"{name}: attempt {attempt} at {time} has started and has no row")
    for (name, time, attempt), row in rows.items():
        if row["status"] == "completed":
            for what in ("start", "end"):
                if (name, time, attempt) not in told[what]:
                    account.other.append(f"{name}: attempt {attempt} at {time} completed without a line of its {what}")
