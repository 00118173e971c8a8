/**
 * The tables as drizzle knows them, for the ordinary queries. `migrations/` is the truth; a test holds this file to it.
 * Hot queries are SQL by hand, a file each.
 */
import { bigint, boolean, integer, pgSchema, primaryKey, text } from "drizzle-orm/pg-core";

const aiki = pgSchema("aiki");
const instant = (name: string) => bigint(name, { mode: "number" });
const ns = () => text("ns").notNull();

export const meta = aiki.table("meta", {
  onlyRow: boolean("only_row").primaryKey().default(true),
  epoch: integer("epoch").notNull().default(1),
});

export const namespace = aiki.table("namespace", {
  name: text("name").primaryKey(),
  createdAt: instant("created_at").notNull(),
});

export const run = aiki.table(
  "run",
  {
    ns: ns(),
    id: text("id").notNull(),
    workflow: text("workflow").notNull(),
    version: text("version").notNull(),
    createdAt: instant("created_at").notNull(),
    runAttempt: integer("run_attempt").notNull().default(1),
    input: text("input"),
    reference: text("reference"),
    retry: text("retry"),
    timeoutMs: bigint("timeout_ms", { mode: "number" }),
    pool: text("pool"),
    parentId: text("parent_id"),
    parentKey: text("parent_key"),
    requestHash: text("request_hash").notNull(),
    status: text("status", { enum: ["completed", "failed", "cancelled"] }),
    endedAt: instant("ended_at"),
    output: text("output"),
    error: text("error"),
    failedTask: text("failed_task"),
    reason: text("reason"),
    endGen: integer("end_gen"),
    lastCommit: text("last_commit"),
    scheduleId: text("schedule_id"),
    timedFrom: instant("timed_from"),
    endSeen: integer("end_seen"),
    endQueued: integer("end_queued").array(),
  },
  (table) => [primaryKey({ columns: [table.ns, table.id] })],
);

export const actor = aiki.table(
  "actor",
  {
    ns: ns(),
    runId: text("run_id").notNull(),
    leaseUntil: instant("lease_until"),
    dueAt: instant("due_at"),
    startAt: instant("start_at"),
    epoch: integer("epoch").notNull(),
    gen: integer("gen").notNull(),
    seq: integer("seq").notNull().default(0),
    mailSeq: integer("mail_seq").notNull().default(0),
    seen: integer("seen").notNull().default(0),
    ctlN: integer("ctl_n").notNull().default(0),
    cancelN: integer("cancel_n").notNull().default(0),
    tries: integer("tries").notNull(),
    paused: boolean("paused").notNull().default(false),
    status: text("status", {
      enum: ["scheduled", "queued", "running", "suspended", "paused", "stalled"],
    }).notNull(),
    hold: text("hold", { enum: ["push", "callback"] }),
    lastCommit: text("last_commit"),
    queued: integer("queued").array().notNull().default([]),
    trouble: text("trouble"),
  },
  (table) => [primaryKey({ columns: [table.ns, table.runId] })],
);

export const mailbox = aiki.table(
  "mailbox",
  {
    ns: ns(),
    runId: text("run_id").notNull(),
    n: integer("n").notNull(),
    acceptedAt: instant("accepted_at").notNull(),
    eventId: text("event_id").notNull(),
    kind: text("kind").notNull(),
    body: text("body").notNull(),
  },
  (table) => [primaryKey({ columns: [table.ns, table.runId, table.n] })],
);

export const record = aiki.table(
  "record",
  {
    ns: ns(),
    runId: text("run_id").notNull(),
    n: integer("n").notNull(),
    gen: integer("gen").notNull(),
    at: instant("at").notNull(),
    kind: text("kind").notNull(),
    key: text("key").notNull(),
    value: text("value").notNull(),
    push: text("push"),
  },
  (table) => [primaryKey({ columns: [table.ns, table.runId, table.n] })],
);

export const push = aiki.table(
  "push",
  {
    ns: ns(),
    runId: text("run_id").notNull(),
    pushId: text("push_id").notNull(),
    gen: integer("gen").notNull(),
    at: instant("at").notNull(),
    push: text("push").notNull(),
    code: text("code"),
    message: text("message"),
  },
  (table) => [primaryKey({ columns: [table.ns, table.runId, table.pushId] })],
);

export const minute = aiki.table(
  "minute",
  {
    ns: ns(),
    at: instant("at").notNull(),
    started: integer("started").notNull(),
    completed: integer("completed").notNull(),
    failed: integer("failed").notNull(),
    cancelled: integer("cancelled").notNull(),
    pushes: integer("pushes").notNull(),
    pushesFailed: integer("pushes_failed").notNull(),
    pushMs: bigint("push_ms", { mode: "number" }).notNull(),
    pushBuckets: integer("push_buckets").array().notNull(),
    startMs: bigint("start_ms", { mode: "number" }).notNull(),
    startBuckets: integer("start_buckets").array().notNull(),
    backlog: integer("backlog").notNull(),
  },
  (table) => [primaryKey({ columns: [table.ns, table.at] })],
);

export const endpointMinute = aiki.table(
  "endpoint_minute",
  {
    ns: ns(),
    at: instant("at").notNull(),
    endpointId: text("endpoint_id").notNull(),
    pushes: integer("pushes").notNull(),
    pushesFailed: integer("pushes_failed").notNull(),
    pushMs: bigint("push_ms", { mode: "number" }).notNull(),
    pushBuckets: integer("push_buckets").array().notNull(),
  },
  (table) => [primaryKey({ columns: [table.ns, table.at, table.endpointId] })],
);

export const child = aiki.table(
  "child",
  {
    ns: ns(),
    parentId: text("parent_id").notNull(),
    key: text("key").notNull(),
    runId: text("run_id").notNull(),
  },
  (table) => [primaryKey({ columns: [table.ns, table.parentId, table.key] })],
);

export const schedule = aiki.table(
  "schedule",
  {
    ns: ns(),
    id: text("id").notNull(),
    identity: text("identity").notNull(),
    reference: text("reference"),
    contentHash: text("content_hash").notNull(),
    workflow: text("workflow").notNull(),
    version: text("version").notNull(),
    input: text("input"),
    retry: text("retry"),
    timeoutMs: bigint("timeout_ms", { mode: "number" }),
    pool: text("pool"),
    requestHash: text("request_hash").notNull(),
    recurrence: text("recurrence").notNull(),
    overlapPolicy: text("overlap_policy", { enum: ["allow", "skip", "cancel_previous"] }).notNull(),
    catchUp: text("catch_up", { enum: ["one", "all"] }).notNull(),
    createdAt: instant("created_at").notNull(),
    updatedAt: instant("updated_at").notNull(),
    seq: integer("seq").notNull().default(0),
    anchorAt: instant("anchor_at").notNull(),
    nextAt: instant("next_at"),
    lastAt: instant("last_at"),
    lastRunId: text("last_run_id"),
    started: integer("started").notNull().default(0),
    skipped: integer("skipped").notNull().default(0),
  },
  (table) => [primaryKey({ columns: [table.ns, table.id] })],
);

export const endpoint = aiki.table(
  "endpoint",
  {
    ns: ns(),
    id: text("id").notNull(),
    name: text("name").notNull(),
    url: text("url").notNull(),
    status: text("status", { enum: ["healthy", "unhealthy", "draining"] }).notNull(),
    headerNames: text("header_names").array().notNull(),
    sealedHeaders: text("sealed_headers"),
    manifest: text("manifest").notNull(),
    manifestHash: text("manifest_hash").notNull(),
    maxDurationMs: bigint("max_duration_ms", { mode: "number" }),
    concurrency: integer("concurrency").notNull(),
    contentType: text("content_type").notNull(),
    signatureHeader: text("signature_header").notNull(),
    createdAt: instant("created_at").notNull(),
    describedAt: instant("described_at").notNull(),
    trouble: text("trouble"),
  },
  (table) => [primaryKey({ columns: [table.ns, table.id] })],
);

export const servedVersion = aiki.table(
  "served_version",
  {
    ns: ns(),
    workflow: text("workflow").notNull(),
    version: text("version").notNull(),
    endpointId: text("endpoint_id").notNull(),
  },
  (table) => [primaryKey({ columns: [table.ns, table.workflow, table.version] })],
);

export const apiKey = aiki.table(
  "api_key",
  {
    ns: ns(),
    id: text("id").notNull(),
    name: text("name"),
    scope: text("scope", { enum: ["read", "write", "admin"] }).notNull(),
    hash: text("hash").notNull(),
    createdAt: instant("created_at").notNull(),
    expiresAt: instant("expires_at"),
    revokedAt: instant("revoked_at"),
  },
  (table) => [primaryKey({ columns: [table.ns, table.id] })],
);

export const signingKey = aiki.table("signing_key", {
  kid: text("kid").primaryKey(),
  alg: text("alg", { enum: ["Ed25519", "ES256"] }).notNull(),
  publicJwk: text("public_jwk").notNull(),
  sealedPrivate: text("sealed_private").notNull(),
  state: text("state", { enum: ["next", "current", "retired"] }).notNull(),
  createdAt: instant("created_at").notNull(),
});
