"""Does the account of C3 see what is wrong? `python3 -m unittest discover -s bench -t bench`"""

import unittest

from .account import Account, attempts, diary, planned_times
from .diary import Line


def row(time, status="completed", attempt=1, **more):
    return {"scheduledFor": time, "status": status, "attempt": attempt, "reason": None, "skippedCount": 0} | more


def skipped(time, count):
    return row(time, "skipped", 0, skippedCount=count)


class PlannedTimes(unittest.TestCase):
    def account(self, rows, waiting=()):
        account = Account()
        planned_times(account, "task", rows, waiting, created=1000, interval=100)
        return account

    def test_all_are_there(self):
        retried = [row(1100, "failed"), row(1100, attempt=2)]
        self.assertEqual(self.account([*retried, skipped(1200, 2), row(1300), row(1500)], [1600]).wrong(), [])

    def test_one_is_lost(self):
        self.assertEqual(len(self.account([row(1100), row(1300)]).lost), 1)
        self.assertEqual(len(self.account([row(1200)]).lost), 1)

    def test_one_is_in_two_rows(self):
        self.assertEqual(len(self.account([skipped(1100, 2), skipped(1200, 1)]).doubled), 1)
        self.assertEqual(len(self.account([row(1100)], [1100]).doubled), 1)

    def test_one_was_never_planned(self):
        self.assertEqual(len(self.account([row(1100), row(1150)]).other), 1)


class Attempts(unittest.TestCase):
    def account(self, *rows):
        account = Account()
        attempts(account, "task", rows)
        return account

    def test_what_is_right(self):
        lost = row(1100, "failed", reason="lost")
        self.assertEqual(self.account(lost, row(1100, attempt=2), skipped(1200, 3)).wrong(), [])

    def test_what_is_wrong(self):
        self.assertEqual(len(self.account(row(1100), row(1100, "failed", reason="lost")).doubled), 1)
        self.assertEqual(len(self.account(row(1100), row(1100, attempt=2)).doubled), 1)
        self.assertEqual(len(self.account(row(1100), row(1100, "failed", 3, reason="lost")).doubled), 1)
        self.assertEqual(len(self.account(row(1100, "running")).stuck), 1)
        self.assertEqual(len(self.account(row(1100, "failed", reason="error")).other), 1)


class Diary(unittest.TestCase):
    def account(self, told, *rows):
        account = Account()
        diary(account, {"task": rows}, [Line(what, "task", 1100, attempt) for what, attempt in told])
        return account

    def test_a_run_and_one_that_was_broken_off_and_retried(self):
        self.assertEqual(self.account([("start", 1), ("end", 1)], row(1100)).wrong(), [])
        told = [("start", 1), ("goes", 1), ("start", 2), ("end", 2)]
        self.assertEqual(self.account(told, row(1100, "failed"), row(1100, attempt=2)).wrong(), [])

    def test_what_is_wrong(self):
        self.assertEqual(len(self.account([("start", 1), ("start", 1), ("end", 1)], row(1100)).doubled), 1)
        told = [("start", 1), ("start", 2), ("goes", 1), ("end", 2)]
        self.assertEqual(len(self.account(told, row(1100, "failed"), row(1100, attempt=2)).overlapping), 1)
        self.assertEqual(len(self.account([("start", 1)]).lost), 1)
        self.assertEqual(len(self.account([("start", 1)], row(1100)).other), 1)


if __name__ == "__main__":
    unittest.main()
