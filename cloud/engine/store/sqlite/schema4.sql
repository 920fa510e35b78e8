-- From schema version 3 to 4: the audit becomes a chain for each node.

-- number counts the entries of one node from 1; link ties an entry to the one
-- before it (see engine.Entry). What was there before has number 0 and no link.
ALTER TABLE audit ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
ALTER TABLE audit ADD COLUMN link BLOB NOT NULL DEFAULT x'';

-- Entries go only from the old end, up to the floor that stands in meta, and
-- change only when what they say of a person is erased.
DROP TRIGGER audit_is_kept;
DROP TRIGGER audit_is_fixed;
CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit
WHEN OLD.seq > coalesce((SELECT CAST(CAST(value AS TEXT) AS INTEGER) FROM meta WHERE name = 'audit-floor'), 0)
BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
CREATE TRIGGER audit_is_fixed BEFORE UPDATE ON audit
WHEN NOT (NEW.seq = OLD.seq AND NEW.time = OLD.time AND NEW.node = OLD.node AND NEW.actor = OLD.actor AND NEW.action = OLD.action
  AND NEW.number = OLD.number AND NEW.detail = '' AND NEW.reason = ''
  AND (length(OLD.link) = 0 AND length(NEW.link) = 0
    OR length(OLD.link) = 64 AND length(NEW.link) = 80 AND substr(NEW.link, 1, 48) = substr(OLD.link, 1, 48)))
BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
