"""Many requests over a few connections that stay open, from one thread, at little cost of its own."""

import re
import selectors
import socket
import time

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Lane:
    """One connection with at most one request under way."""

    def __init__(self, number, address):
        self.number = number
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""
        self.expected = None
        self.since = 0.0

    def send(self, request):
        self.received, self.expected = b"", None
        self.since = time.monotonic()
        self.socket.sendall(request)

    def receive(self):
        """The status and the body, once both are there."""
        part = self.socket.recv(1 << 18)
        if not part:
            raise ConnectionError("the server hung up")
        self.received += part
        if self.expected is None:
            end = self.received.find(b"\r\n\r\n")
            if end < 0:
                return None
            length = _LENGTH.search(self.received, 0, end + 2)
            self.expected = end + 4 + (int(length[1]) if length else 0)
            self.body_from = end + 4
        if len(self.received) < self.expected:
            return None
        return int(self.received[9:12]), self.received[self.body_from : self.expected]


def flood(address, lanes, next_request, answered):
    """Keeps `lanes` connections busy until `next_request(lane)` gives None to every one of them.

    `answered(lane, status, body, seconds)` is told of every answer. Returns the seconds it took.
    """
    began = time.monotonic()
    with selectors.DefaultSelector() as selector:
        busy = 0
        for number in range(lanes):
            request = next_request(number)
            if request is None:
                continue
            lane = Lane(number, address)
            selector.register(lane.socket, selectors.EVENT_READ, lane)
            lane.send(request)
            busy += 1
        while busy:
            for key, _ in selector.select(60) or _silence():
                lane = key.data
                answer = lane.receive()
                if answer is None:
                    continue
                answered(lane.number, *answer, time.monotonic() - lane.since)
                request = next_request(lane.number)
                if request is None:
                    selector.unregister(lane.socket)
                    lane.socket.close()
                    busy -= 1
                else:
                    lane.send(request)
    return time.monotonic() - began


def _silence():
    raise TimeoutError("no answer for a minute")
