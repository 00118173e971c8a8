-- A run that starts later is not pushed before this instant, whatever message makes it due; null once it has begun.
-- `due_at` cannot say it: every message lowers that.
ALTER TABLE aiki.actor ADD COLUMN start_at bigint;
UPDATE aiki.actor SET start_at = due_at WHERE status = 'scheduled';
