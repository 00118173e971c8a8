-- Runs that wait for somebody who serves their version. Workers ask for them about once a second; without this index each
-- question reads every live run. `status` and `trouble` change only when `hold` does, so commits stay heap-only.
CREATE INDEX actor_unserved ON aiki.actor (ns, run_id)
  WHERE status = 'queued' AND hold IS NULL AND trouble LIKE '{"code":"WORKFLOW_NOT_SERVED"%';
