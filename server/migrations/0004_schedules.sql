-- What starts runs by the clock. Deleting a row is how a schedule ends; its runs stay.
CREATE TABLE aiki.schedule (
  ns text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  -- Which schedule an activation means: its reference, or else a hash of workflow, version, recurrence and input.
  identity text COLLATE "C" NOT NULL,
  reference text COLLATE "C",
  -- Of everything that an activation says.
  content_hash text NOT NULL,
  workflow text COLLATE "C" NOT NULL,
  version text COLLATE "C" NOT NULL,
  input text,
  retry text,
  timeout_ms bigint,
  pool text,
  -- The `request_hash` of its runs.
  request_hash text NOT NULL,
  recurrence text NOT NULL,
  overlap_policy text NOT NULL CHECK (overlap_policy IN ('allow', 'skip', 'cancel_previous')),
  catch_up text NOT NULL CHECK (catch_up IN ('one', 'all')),
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL,
  -- The fence: every change raises it, so that of all who decided on what they read, one writes.
  seq integer NOT NULL DEFAULT 0,
  anchor_at bigint NOT NULL,
  -- Null while it is paused.
  next_at bigint,
  last_at bigint,
  last_run_id text COLLATE "C",
  started integer NOT NULL DEFAULT 0,
  skipped integer NOT NULL DEFAULT 0,
  PRIMARY KEY (ns, id)
);
-- The predicate always holds. It keeps the index out of plans that look for an id: on a small table it costs them as
-- much as the primary key, and such a plan is kept while the table grows.
CREATE UNIQUE INDEX schedule_identity ON aiki.schedule (ns, identity) WHERE identity <> '';
CREATE INDEX schedule_upcoming ON aiki.schedule (next_at, ns, id) WHERE next_at IS NOT NULL;

ALTER TABLE aiki.run ADD COLUMN schedule_id text COLLATE "C";
CREATE INDEX run_by_schedule ON aiki.run (ns, schedule_id, id) WHERE schedule_id IS NOT NULL;
