"""What the description of the API cannot tell: names that exist, and values that do not go together."""

import os
from random import SystemRandom

import schemathesis
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

TASK = os.environ["ISOCHRON_TASK"]
RUN = os.environ["ISOCHRON_RUN"]
SOURCE = os.environ["ISOCHRON_SOURCE"]
# Not the module's own chance, which starts anew with each example.
chance = SystemRandom()

for name, values in {
    "handler": ["quick", "folder/quick"],
    "schedule": ["0 9 * * 1", "every 10m", "@daily"],
    "timezone": ["UTC", "Europe/Berlin", "America/New_York"],
    "channel": ["nobody"],
    "base64": ["aXNvY2hyb24=", "AAAA"],
    "name": ["nightly", "Jede Nacht", "毎晩の仕事"],
    "tag": ["größer", "🌙", *(f"night-{n}" for n in range(100))],
    "future": [4102444800000],
    "task": [TASK],
}.items():
    schemathesis.openapi.format(name, st.sampled_from(values))

# Rules about several values, or about the state of the server: a request that is right value by value may
# be refused for these reasons, and for no others.
REASONS = [
    "must not be earlier than",
    "must not be later than",
    "must not be before from",
    'must be at most 31 days after "from"',
    'must be at most 7 days after "from"',
    'must be 0 to 7 days after "from"',
    'buckets after "from"',
    "must be later than startAt",
    "leaves no run of the schedule",
    "so there is no past span",
    "must be a time to come",
    "must be past",
    "has no run within",
    "needs a taskId beside it",
    "is required for deliveries that wait",
    "is required for a new name",
    'no handler "',
    "must be the nextCursor of",
    "must be the cursor of an answer",
    "must be the number of tasks that a dryRun",
    "goes with filter only",
    "are for the action run only",
    "use /admin/forecast",
    "makes a circle",
    "with the one-time schedule",
    'with the schedule "never"',
    # Rules of alerts.
    'needs "',
    'is required by "missed"',
    'has "recovery" without',
    "which an earlier rule",
    # A part of a file has the hash of its path.
    "the chunk has the SHA-256",
    "the manifest cannot be read",
]


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """Takes the answer for all other errors away: each status that comes must be described."""
    for methods in raw_schema["paths"].values():
        for operation in methods.values():
            operation["responses"].pop("default", None)


@schemathesis.hook
def before_call(context, case, kwargs):
    """Sends the request from an address of its own, and half of the requests to things that are there."""
    # Ten wrong tokens from one address are too many.
    if case.headers is None:
        case.headers = CaseInsensitiveDict()
    case.headers["X-Forwarded-For"] = ".".join(str(chance.randint(1, 250)) for _ in range(4))
    if case.method == "DELETE" or chance.random() < 0.5:
        return
    path, values = case.operation.path, case.path_parameters or {}
    if str(values.get("id", "")).startswith("task-") and "/actions/pause" not in path:
        values["id"] = TASK
    if str(values.get("id", "")).startswith("exec-"):
        values["id"] = RUN
    if str(values.get("execution", "")).startswith("exec-"):
        values["execution"] = RUN
    if path == "/admin/handlers/{name}":
        values["name"] = "quick"
    if len(values.get("hash", "")) == 64:
        values["hash"] = SOURCE
    if len(values.get("other", "")) == 64:
        values["other"] = SOURCE


# In the place of `positive_data_acceptance`, which knows no such rules.
@schemathesis.check
def refused_without_reason(context, response, case):
    """A request in which each value is right is refused only for values that do not go together."""
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code != 400:
        return
    body = response.json()
    problems = [detail["problem"] for detail in body.get("details", [])] or [body["message"]]
    unknown = [problem for problem in problems if not any(reason in problem for reason in REASONS)]
    if unknown:
        raise AssertionError(f"a request of right values is refused: {unknown}")
