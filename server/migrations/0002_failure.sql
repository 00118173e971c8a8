-- What a run's time limit counts from: when it is first due. Null in rows from before: it is `created_at`.
ALTER TABLE aiki.run ADD COLUMN timed_from bigint;
UPDATE aiki.run r SET timed_from = a.due_at FROM aiki.actor a
WHERE a.ns = r.ns AND a.run_id = r.id AND a.status = 'scheduled';
-- How far a run had read its mail when it ended, for one that failed and is retried.
ALTER TABLE aiki.run ADD COLUMN end_seen integer;
ALTER TABLE aiki.run ADD COLUMN end_queued integer[];
-- Which attempt a run is in follows from its history. The column goes once no replica writes it any more.
ALTER TABLE aiki.run ALTER COLUMN run_attempt SET DEFAULT 1;
CREATE INDEX record_retried ON aiki.record (ns, run_id, n) WHERE kind = 'run' AND value LIKE '{"state":"retried"%';
