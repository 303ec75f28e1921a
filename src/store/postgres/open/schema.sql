-- The tables, as version 1 has them. `#` stands for the schema.
-- No foreign keys (locks, cascades), no triggers and no sequences but that of the audit.
-- Documents are JSON as bytes: the order of keys, exact numbers and U+0000 survive.
CREATE TABLE #cluster (
  one boolean PRIMARY KEY DEFAULT true CHECK (one), version bigint NOT NULL, epoch bigint NOT NULL DEFAULT 0,
  importing boolean NOT NULL DEFAULT false);
INSERT INTO #cluster (version) VALUES (1);
-- A server, from its start to its end. Every commit of its writer updates its row last.
CREATE TABLE #node (
  id uuid PRIMARY KEY, name text NOT NULL, address text, build text NOT NULL, places bigint NOT NULL,
  slot bigint NOT NULL, session bigint NOT NULL DEFAULT 0, seq bigint NOT NULL DEFAULT 0,
  beat bigint NOT NULL DEFAULT 0, busy bigint NOT NULL DEFAULT 0, joined bigint NOT NULL, seen bigint NOT NULL,
  gone bigint, why text)
  WITH (fillfactor = 20);
-- Chores that one server at a time does.
CREATE TABLE #turn (chore text PRIMARY KEY, node uuid NOT NULL, until bigint NOT NULL);
-- The part of a task that users decide about: it changes seldom.
CREATE TABLE #task (
  id uuid PRIMARY KEY, handler text COLLATE "C" NOT NULL, tags text[] NOT NULL, after uuid, version bigint NOT NULL,
  definition bytea NOT NULL);
CREATE INDEX task_after ON #task (after, id) WHERE after IS NOT NULL;
CREATE INDEX task_tags ON #task USING gin (tags);
CREATE TABLE #task_name (name text COLLATE "C" PRIMARY KEY, lower text COLLATE "C" NOT NULL, task uuid NOT NULL);
CREATE INDEX task_name_task ON #task_name (task);
-- The part that every run changes. `rest` is the status that the task has while nothing runs.
CREATE TABLE #state (
  task uuid PRIMARY KEY, version bigint NOT NULL, defined bigint NOT NULL, priority bigint NOT NULL, due bigint, next_run bigint, alarm bigint,
  updated bigint NOT NULL, running bigint NOT NULL, rest bigint NOT NULL, handler text COLLATE "C" NOT NULL,
  history bigint NOT NULL DEFAULT 0, keyed boolean NOT NULL, firing boolean NOT NULL, untold boolean NOT NULL,
  held text, facts bytea NOT NULL)
  WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX state_due ON #state (priority, due, task) WHERE due IS NOT NULL AND held IS NULL;
CREATE INDEX state_rest ON #state (rest, next_run, task);
CREATE INDEX state_handler ON #state (handler, rest, next_run, task);
CREATE INDEX state_updated ON #state (updated, task);
CREATE INDEX state_running ON #state (task) WHERE running > 0;
CREATE INDEX state_alarm ON #state (alarm, task) WHERE alarm IS NOT NULL;
CREATE INDEX state_keyed ON #state (task) WHERE keyed;
CREATE INDEX state_firing ON #state (task) WHERE firing;
CREATE INDEX state_untold ON #state (task) WHERE untold;
CREATE INDEX state_held ON #state (task) WHERE held IS NOT NULL;
-- Executions in progress; they move to the history when they end.
CREATE TABLE #running (
  id uuid PRIMARY KEY, task uuid NOT NULL, created bigint NOT NULL, trigger bigint NOT NULL,
  handler text COLLATE "C" NOT NULL, scheduled_for bigint NOT NULL, node uuid NOT NULL, cancel text,
  slot text COLLATE "C", row bytea NOT NULL)
  WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0);
CREATE INDEX running_task ON #running (task, id);
CREATE INDEX running_node ON #running (node);
CREATE INDEX running_slot ON #running (slot) WHERE slot IS NOT NULL;
-- A row of a concurrency key is locked while its slots are counted.
CREATE TABLE #slot (key text COLLATE "C" PRIMARY KEY);
CREATE TABLE #execution (
  task uuid, id uuid, created bigint NOT NULL, status bigint NOT NULL, reason text, trigger bigint NOT NULL,
  handler text COLLATE "C" NOT NULL, scheduled_for bigint NOT NULL, node uuid, row bytea NOT NULL,
  PRIMARY KEY (task, id)) WITH (autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX execution_id ON #execution (id);
CREATE INDEX execution_created ON #execution (created, task, id);
CREATE INDEX execution_handler ON #execution (handler, created, task, id);
-- Every end but the completed ones (status 1).
CREATE INDEX execution_outcome ON #execution (status, created, task, id) WHERE status <> 1;
CREATE TABLE #output (execution uuid, chunk bigint, bytes bigint NOT NULL, lines bytea NOT NULL,
  PRIMARY KEY (execution, chunk));
-- Numbers of tasks. Each server adds to those of its own slot, so that no two wait for one row.
CREATE TABLE #counter (
  kind text COLLATE "C", name text COLLATE "C", rest bigint, slot bigint, n bigint NOT NULL,
  PRIMARY KEY (kind, name, rest, slot)) WITH (fillfactor = 50);
CREATE TABLE #activity (span bigint, start bigint, slot bigint, bucket bytea NOT NULL, PRIMARY KEY (span, start, slot))
  WITH (fillfactor = 50);
CREATE TABLE #audit (
  time bigint, number bigint GENERATED ALWAYS AS IDENTITY, task uuid, row bytea NOT NULL, PRIMARY KEY (time, number));
CREATE INDEX audit_task ON #audit (task, time, number) WHERE task IS NOT NULL;
CREATE TABLE #value (key bytea PRIMARY KEY, value bytea NOT NULL);
-- Entries that handlers keep; those that all tasks share have the owner 0.
CREATE TABLE #account (owner uuid PRIMARY KEY, entries bigint NOT NULL, bytes bigint NOT NULL, version bigint NOT NULL);
CREATE TABLE #entry (
  owner uuid, key bytea, expires bigint, size bigint NOT NULL, entry bytea NOT NULL, PRIMARY KEY (owner, key));
CREATE INDEX entry_expires ON #entry (expires) WHERE expires IS NOT NULL;
CREATE TABLE #step (
  task uuid, scheduled_for bigint, name bytea, number bigint NOT NULL, step bytea NOT NULL,
  PRIMARY KEY (task, scheduled_for, name));
CREATE TABLE #params (task uuid, time bigint, hash text COLLATE "C", params bytea NOT NULL, PRIMARY KEY (task, time, hash));
CREATE TABLE #binding (name text COLLATE "C" PRIMARY KEY, binding bytea NOT NULL);
CREATE TABLE #token (id uuid PRIMARY KEY, token bytea NOT NULL);
CREATE TABLE #session (hash bytea PRIMARY KEY, session bytea NOT NULL);
CREATE TABLE #alert (
  place bigint, channel text COLLATE "C", id uuid, delivery bytea NOT NULL, PRIMARY KEY (place, channel, id));
CREATE TABLE #version (
  handler text COLLATE "C", hash bytea, first_seen bigint NOT NULL, last_seen bigint NOT NULL, runs bigint NOT NULL,
  source bytea, PRIMARY KEY (handler, hash));
CREATE INDEX version_hash ON #version (hash, handler);
-- Deleted tasks whose history and state are still to be removed.
CREATE TABLE #garbage (task uuid PRIMARY KEY);
CREATE TABLE #set_aside (place bytea PRIMARY KEY, bytes bytea NOT NULL);
