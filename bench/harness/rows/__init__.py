"""The rows of the table."""

from . import (
    api,
    at_rest,
    burst,
    burst_of_nodes,
    closed_loop,
    fetch,
    kills,
    memory,
    nodes_at_rest,
    outage,
    precision,
    saturation,
    start,
    state,
    takeover,
    waiting,
)

ROWS = [closed_loop, saturation, waiting, burst, precision, at_rest, api, memory, start, fetch, state]
# On one PostgreSQL.
ROWS += [burst_of_nodes, takeover, kills, nodes_at_rest, outage]
