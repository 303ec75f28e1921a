"""The rows of the table."""

from . import api, at_rest, burst, closed_loop, fetch, memory, precision, saturation, start, state, waiting

ROWS = [closed_loop, saturation, waiting, burst, precision, at_rest, api, memory, start, fetch, state]
