-- Lists of runs, each from the index that its filter names. `run_by_creation` answers for a span of time; its predicate
-- always holds, and keeps it out of plans that look for an id (see 0004).
CREATE INDEX run_by_reference ON aiki.run (ns, reference, id) WHERE reference IS NOT NULL;
CREATE INDEX run_by_creation ON aiki.run (ns, created_at, id) WHERE created_at > 0;
-- A run that starts, works and ends without a pause never enters this one: running runs are found by `actor_held`.
-- `status` changes only when `hold` does, so that commits stay heap-only.
CREATE INDEX actor_by_status ON aiki.actor (ns, status, run_id) WHERE status <> 'running';

-- The push that brought the first record of its commit: its id, whom it went to, the sequence it went out under, how many
-- milliseconds it took, which delivery in a row it was, and the commits that it made on its way. A row of its own for
-- each push would take half as much again of what a commit writes to the log.
ALTER TABLE aiki.record ADD COLUMN push text;

-- Pushes that brought no record: those that failed, and the few whose commit had none. The last 100 of each run; ids sort
-- by time.
CREATE TABLE aiki.push (
  ns text COLLATE "C" NOT NULL,
  run_id text COLLATE "C" NOT NULL,
  push_id text COLLATE "C" NOT NULL,
  gen integer NOT NULL,
  -- When it was over.
  at bigint NOT NULL,
  -- As in `record`.
  push text NOT NULL,
  -- Null: committed.
  code text,
  message text,
  PRIMARY KEY (ns, run_id, push_id)
);

-- What all processes counted within one minute, added up. Kept for seven days. The buckets of durations are told in
-- `core/buckets.ts`; there is one more for what is longer than all of them.
CREATE TABLE aiki.minute (
  ns text COLLATE "C" NOT NULL,
  at bigint NOT NULL,
  started integer NOT NULL,
  completed integer NOT NULL,
  failed integer NOT NULL,
  cancelled integer NOT NULL,
  pushes integer NOT NULL,
  pushes_failed integer NOT NULL,
  push_ms bigint NOT NULL,
  push_buckets integer[] NOT NULL,
  -- From when a run was due until it was first pushed.
  start_ms bigint NOT NULL,
  start_buckets integer[] NOT NULL,
  -- The most that were due and in nobody's hands when somebody looked.
  backlog integer NOT NULL,
  PRIMARY KEY (ns, at)
);
CREATE INDEX minute_by_age ON aiki.minute (at);

CREATE TABLE aiki.endpoint_minute (
  ns text COLLATE "C" NOT NULL,
  at bigint NOT NULL,
  endpoint_id text COLLATE "C" NOT NULL,
  pushes integer NOT NULL,
  pushes_failed integer NOT NULL,
  push_ms bigint NOT NULL,
  push_buckets integer[] NOT NULL,
  PRIMARY KEY (ns, at, endpoint_id)
);
CREATE INDEX endpoint_minute_by_age ON aiki.endpoint_minute (at);
