-- The tables, as version 1 has them. `#` stands for the schema.
-- No foreign keys (locks, cascades), no triggers and no sequences but that of the audit.
-- Documents are JSON as bytes: the order of keys, exact numbers and U+0000 survive.
CREATE TABLE IF NOT EXISTS #cluster (
  one boolean PRIMARY KEY DEFAULT true CHECK (one), version bigint NOT NULL, epoch bigint NOT NULL DEFAULT 0,
  importing boolean NOT NULL DEFAULT false);
-- A server, from its start to its end. Every commit of its writer updates its row last.
CREATE TABLE IF NOT EXISTS #node (
  id uuid PRIMARY KEY, name text NOT NULL, address text, build text NOT NULL, places bigint NOT NULL,
  slot bigint NOT NULL, session bigint NOT NULL DEFAULT 0, seq bigint NOT NULL DEFAULT 0,
  beat bigint NOT NULL DEFAULT 0, busy bigint NOT NULL DEFAULT 0, joined bigint NOT NULL, seen bigint NOT NULL,
  gone bigint, why text);
-- Chores that one server at a time does.
CREATE TABLE IF NOT EXISTS #turn (chore text PRIMARY KEY, node uuid NOT NULL, until bigint NOT NULL);
-- The part of a task that users decide about: it changes seldom.
CREATE TABLE IF NOT EXISTS #task (
  id uuid PRIMARY KEY, handler text COLLATE "C" NOT NULL, tags text[] NOT NULL, after uuid, version bigint NOT NULL,
  definition bytea NOT NULL);
CREATE INDEX IF NOT EXISTS task_after ON #task (after, id) WHERE after IS NOT NULL;
CREATE INDEX IF NOT EXISTS task_tags ON #task USING gin (tags);
CREATE TABLE IF NOT EXISTS #task_name (name text COLLATE "C" PRIMARY KEY, lower text COLLATE "C" NOT NULL, task uuid NOT NULL);
CREATE INDEX IF NOT EXISTS task_name_task ON #task_name (task);
-- The part that every run changes. `rest` is the status that the task has while nothing runs.
CREATE TABLE IF NOT EXISTS #state (
  task uuid PRIMARY KEY, version bigint NOT NULL, defined bigint NOT NULL, priority bigint NOT NULL, due bigint, next_run bigint, alarm bigint,
  updated bigint NOT NULL, running bigint NOT NULL, rest bigint NOT NULL, handler text COLLATE "C" NOT NULL,
  history bigint NOT NULL DEFAULT 0, keyed boolean NOT NULL, firing boolean NOT NULL, untold boolean NOT NULL,
  held text, facts bytea NOT NULL);
CREATE INDEX IF NOT EXISTS state_due ON #state (priority, due, task) WHERE due IS NOT NULL AND held IS NULL;
CREATE INDEX IF NOT EXISTS state_rest ON #state (rest, next_run, task);
CREATE INDEX IF NOT EXISTS state_handler ON #state (handler, rest, next_run, task);
CREATE INDEX IF NOT EXISTS state_updated ON #state (updated, task);
CREATE INDEX IF NOT EXISTS state_running ON #state (task) WHERE running > 0;
CREATE INDEX IF NOT EXISTS state_alarm ON #state (alarm, task) WHERE alarm IS NOT NULL;
CREATE INDEX IF NOT EXISTS state_keyed ON #state (task) WHERE keyed;
CREATE INDEX IF NOT EXISTS state_firing ON #state (task) WHERE firing;
CREATE INDEX IF NOT EXISTS state_untold ON #state (task) WHERE untold;
CREATE INDEX IF NOT EXISTS state_held ON #state (task) WHERE held IS NOT NULL;
-- Executions in progress; they move to the history when they end.
CREATE TABLE IF NOT EXISTS #running (
  id uuid PRIMARY KEY, task uuid NOT NULL, created bigint NOT NULL, trigger bigint NOT NULL,
  handler text COLLATE "C" NOT NULL, scheduled_for bigint NOT NULL, node uuid NOT NULL, cancel text,
  slot text COLLATE "C", row bytea NOT NULL);
CREATE INDEX IF NOT EXISTS running_task ON #running (task, id);
CREATE INDEX IF NOT EXISTS running_node ON #running (node);
CREATE INDEX IF NOT EXISTS running_slot ON #running (slot) WHERE slot IS NOT NULL;
-- A row of a concurrency key is locked while its slots are counted.
CREATE TABLE IF NOT EXISTS #slot (key text COLLATE "C" PRIMARY KEY);
CREATE TABLE IF NOT EXISTS #execution (
  task uuid, id uuid, created bigint NOT NULL, status bigint NOT NULL, reason text, trigger bigint NOT NULL,
  handler text COLLATE "C" NOT NULL, scheduled_for bigint NOT NULL, node uuid, row bytea NOT NULL,
  PRIMARY KEY (task, id));
CREATE INDEX IF NOT EXISTS execution_id ON #execution (id);
CREATE INDEX IF NOT EXISTS execution_created ON #execution (created, task, id);
CREATE INDEX IF NOT EXISTS execution_handler ON #execution (handler, created, task, id);
-- Every end but the completed ones (status 1).
CREATE INDEX IF NOT EXISTS execution_outcome ON #execution (status, created, task, id) WHERE status <> 1;
CREATE TABLE IF NOT EXISTS #output (execution uuid, chunk bigint, bytes bigint NOT NULL, lines bytea NOT NULL,
  PRIMARY KEY (execution, chunk));
-- Numbers of tasks. Each server adds to those of its own slot, so that no two wait for one row.
CREATE TABLE IF NOT EXISTS #counter (
  kind text COLLATE "C", name text COLLATE "C", rest bigint, slot bigint, n bigint NOT NULL,
  PRIMARY KEY (kind, name, rest, slot));
CREATE TABLE IF NOT EXISTS #activity (span bigint, start bigint, slot bigint, bucket bytea NOT NULL, PRIMARY KEY (span, start, slot));
CREATE TABLE IF NOT EXISTS #audit (
  time bigint, number bigint GENERATED ALWAYS AS IDENTITY, task uuid, row bytea NOT NULL, PRIMARY KEY (time, number));
CREATE INDEX IF NOT EXISTS audit_task ON #audit (task, time, number) WHERE task IS NOT NULL;
CREATE TABLE IF NOT EXISTS #value (key bytea PRIMARY KEY, value bytea NOT NULL);
-- Entries that handlers keep; those that all tasks share have the owner 0.
CREATE TABLE IF NOT EXISTS #account (owner uuid PRIMARY KEY, entries bigint NOT NULL, bytes bigint NOT NULL, version bigint NOT NULL);
CREATE TABLE IF NOT EXISTS #entry (
  owner uuid, key bytea, expires bigint, size bigint NOT NULL, entry bytea NOT NULL, PRIMARY KEY (owner, key));
CREATE INDEX IF NOT EXISTS entry_expires ON #entry (expires) WHERE expires IS NOT NULL;
CREATE TABLE IF NOT EXISTS #step (
  task uuid, scheduled_for bigint, name bytea, number bigint NOT NULL, step bytea NOT NULL,
  PRIMARY KEY (task, scheduled_for, name));
CREATE TABLE IF NOT EXISTS #params (task uuid, time bigint, hash text COLLATE "C", params bytea NOT NULL, PRIMARY KEY (task, time, hash));
CREATE TABLE IF NOT EXISTS #binding (name text COLLATE "C" PRIMARY KEY, binding bytea NOT NULL);
CREATE TABLE IF NOT EXISTS #token (id uuid PRIMARY KEY, token bytea NOT NULL);
CREATE TABLE IF NOT EXISTS #session (hash bytea PRIMARY KEY, session bytea NOT NULL);
CREATE TABLE IF NOT EXISTS #alert (
  place bigint, channel text COLLATE "C", id uuid, delivery bytea NOT NULL, PRIMARY KEY (place, channel, id));
CREATE TABLE IF NOT EXISTS #version (
  handler text COLLATE "C", hash bytea, first_seen bigint NOT NULL, last_seen bigint NOT NULL, runs bigint NOT NULL,
  source bytea, PRIMARY KEY (handler, hash));
CREATE INDEX IF NOT EXISTS version_hash ON #version (hash, handler);
-- Deleted tasks whose history and state are still to be removed.
CREATE TABLE IF NOT EXISTS #garbage (task uuid PRIMARY KEY);
CREATE TABLE IF NOT EXISTS #set_aside (place bytea PRIMARY KEY, bytes bytea NOT NULL);
-- Last, so that tables which are made one by one are there by now.
INSERT INTO #cluster (version) VALUES (1) ON CONFLICT DO NOTHING;
