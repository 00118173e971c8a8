-- Everything lives in a schema of its own, so that Aiki can share a database with an application.
-- `ns` leads every primary and unique key: no query can reach another namespace by forgetting a predicate.
-- Instants are milliseconds since the Unix epoch. Payloads are JSON in `text`: `jsonb` refuses \u0000 and lone
-- surrogates, and a value that cannot be stored would make a run that can never commit.
-- Ids and names sort by bytes (collation "C"), as they do in JavaScript, so that cursors and lock order agree.

-- Rounded down: a timer that is due by this clock is due by the real one.
CREATE FUNCTION aiki.now_ms() RETURNS bigint
  LANGUAGE sql VOLATILE PARALLEL SAFE
  AS $$ SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint $$;

CREATE TABLE aiki.meta (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  -- Raised after a restore, so that no fence or token from before it is accepted.
  epoch integer NOT NULL DEFAULT 1
);
INSERT INTO aiki.meta DEFAULT VALUES;

CREATE TABLE aiki.namespace (
  name text COLLATE "C" PRIMARY KEY,
  created_at bigint NOT NULL
);
INSERT INTO aiki.namespace VALUES ('default', aiki.now_ms());

-- The cold row of a run: written when it starts and when it ends.
CREATE TABLE aiki.run (
  ns text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  workflow text COLLATE "C" NOT NULL,
  version text COLLATE "C" NOT NULL,
  created_at bigint NOT NULL,
  run_attempt integer NOT NULL,
  input text,
  reference text COLLATE "C",
  retry text,
  timeout_ms bigint,
  pool text,
  parent_id text COLLATE "C",
  parent_key text COLLATE "C",
  request_hash text NOT NULL,
  -- Null while the run is live: then `actor` has its status.
  status text CHECK (status IN ('completed', 'failed', 'cancelled')),
  ended_at bigint,
  output text,
  error text,
  failed_task text,
  -- JSON text, because a reason is free text.
  reason text,
  -- The fence and the last commit, kept when the actor row goes, so that a lost acknowledgement can be resolved.
  end_gen integer,
  last_commit text,
  PRIMARY KEY (ns, id),
  CHECK ((status IS NULL) = (ended_at IS NULL))
);
-- A child is addressed by its parent and key. Were its reference unique too, a stranger's run with that reference
-- would make a parent that can never commit.
CREATE UNIQUE INDEX run_reference ON aiki.run (ns, workflow, version, reference)
  WHERE reference IS NOT NULL AND parent_id IS NULL;
CREATE INDEX run_by_workflow ON aiki.run (ns, workflow, id);
CREATE INDEX run_by_parent ON aiki.run (ns, parent_id, id) WHERE parent_id IS NOT NULL;
CREATE INDEX run_by_status ON aiki.run (ns, status, id) WHERE status IS NOT NULL;

-- The hot row: one per live run, deleted by the commit that ends it. Narrow, with room on each page, so that
-- consecutive commits are heap-only updates; vacuumed early and at full speed.
CREATE TABLE aiki.actor (
  ns text COLLATE "C" NOT NULL,
  run_id text COLLATE "C" NOT NULL,
  lease_until bigint,
  due_at bigint,
  epoch integer NOT NULL,
  gen integer NOT NULL,
  seq integer NOT NULL DEFAULT 0,
  mail_seq integer NOT NULL DEFAULT 0,
  seen integer NOT NULL DEFAULT 0,
  -- Number of the newest control message, and of the newest cancel.
  ctl_n integer NOT NULL DEFAULT 0,
  cancel_n integer NOT NULL DEFAULT 0,
  tries integer NOT NULL,
  paused boolean NOT NULL DEFAULT false,
  status text NOT NULL CHECK (status IN ('scheduled', 'queued', 'running', 'suspended', 'paused', 'stalled')),
  -- What the lease is for; null when nobody holds the run. Unlike `lease_until` it stays while the lease is extended.
  hold text CHECK (hold IN ('push', 'callback')),
  last_commit text,
  queued integer[] NOT NULL DEFAULT '{}',
  trouble text,
  PRIMARY KEY (ns, run_id),
  CHECK ((hold IS NULL) = (lease_until IS NULL))
) WITH (
  fillfactor = 70,
  autovacuum_vacuum_scale_factor = 0.01,
  autovacuum_vacuum_threshold = 1000,
  autovacuum_vacuum_cost_delay = 0,
  autovacuum_analyze_scale_factor = 0.05
);
-- A holder's commit changes neither `due_at` nor `hold`, so that it stays heap-only. Runs that are held are due all the
-- while; they have an index of their own, so that looking for work does not wade through them.
CREATE INDEX actor_due ON aiki.actor (due_at) WHERE hold IS NULL AND due_at IS NOT NULL;
CREATE INDEX actor_held ON aiki.actor (due_at) WHERE hold IS NOT NULL;

CREATE TABLE aiki.mailbox (
  ns text COLLATE "C" NOT NULL,
  run_id text COLLATE "C" NOT NULL,
  n integer NOT NULL,
  accepted_at bigint NOT NULL,
  event_id text COLLATE "C" NOT NULL,
  kind text NOT NULL,
  body text NOT NULL,
  PRIMARY KEY (ns, run_id, n),
  CONSTRAINT mailbox_event_id UNIQUE (ns, run_id, event_id)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.05);

-- History: append-only, numbered without gaps from 1 within its run.
CREATE TABLE aiki.record (
  ns text COLLATE "C" NOT NULL,
  run_id text COLLATE "C" NOT NULL,
  n integer NOT NULL,
  gen integer NOT NULL,
  at bigint NOT NULL,
  kind text NOT NULL,
  key text COLLATE "C" NOT NULL,
  value text NOT NULL,
  PRIMARY KEY (ns, run_id, n)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.05);

CREATE TABLE aiki.child (
  ns text COLLATE "C" NOT NULL,
  parent_id text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  run_id text COLLATE "C" NOT NULL,
  PRIMARY KEY (ns, parent_id, key)
);

CREATE TABLE aiki.endpoint (
  ns text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  url text NOT NULL,
  status text NOT NULL CHECK (status IN ('healthy', 'unhealthy', 'draining')),
  header_names text[] NOT NULL,
  sealed_headers text,
  manifest text NOT NULL,
  manifest_hash text NOT NULL,
  max_duration_ms bigint,
  concurrency integer NOT NULL,
  content_type text NOT NULL,
  signature_header text NOT NULL,
  created_at bigint NOT NULL,
  described_at bigint NOT NULL,
  trouble text,
  PRIMARY KEY (ns, id),
  CONSTRAINT endpoint_name UNIQUE (ns, name)
);

-- Who serves a version: one endpoint at a time.
CREATE TABLE aiki.served_version (
  ns text COLLATE "C" NOT NULL,
  workflow text COLLATE "C" NOT NULL,
  version text COLLATE "C" NOT NULL,
  endpoint_id text COLLATE "C" NOT NULL,
  PRIMARY KEY (ns, workflow, version),
  FOREIGN KEY (ns, endpoint_id) REFERENCES aiki.endpoint (ns, id) ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE INDEX served_version_by_endpoint ON aiki.served_version (ns, endpoint_id);

CREATE TABLE aiki.api_key (
  ns text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  name text,
  scope text NOT NULL CHECK (scope IN ('read', 'write', 'admin')),
  -- Hex SHA-256 of the secret. Looked up before the namespace is known: it is what tells the namespace.
  hash text COLLATE "C" NOT NULL,
  created_at bigint NOT NULL,
  expires_at bigint,
  revoked_at bigint,
  PRIMARY KEY (ns, id),
  CONSTRAINT api_key_hash UNIQUE (hash)
);

-- The orchestrator's own keys belong to no namespace.
CREATE TABLE aiki.signing_key (
  kid text COLLATE "C" PRIMARY KEY,
  alg text NOT NULL CHECK (alg IN ('Ed25519', 'ES256')),
  public_jwk text NOT NULL,
  sealed_private text NOT NULL,
  state text NOT NULL CHECK (state IN ('next', 'current', 'retired')),
  created_at bigint NOT NULL
);
