-- Which Redis may speak for the shop: where each of its histories was, and who may follow the newest.

ALTER TABLE redis_lineages
  -- Where cartd reached it, without a password; empty for one that an older cartd has registered.
  ADD COLUMN location text COLLATE "C" NOT NULL DEFAULT '',
  -- The process (run_id of INFO); a process goes on with its history when its replication id changes.
  ADD COLUMN run_id text COLLATE "C" NOT NULL DEFAULT '',
  -- The word that stands in Redis if nothing was changed since the last syncer ended in order; empty while it is open.
  ADD COLUMN closed text COLLATE "C" NOT NULL DEFAULT '',
  -- It was closed by cartctl drain: any Redis without carts may follow.
  ADD COLUMN is_drained boolean NOT NULL DEFAULT false,
  -- The process of Redis that cartctl adopt lets follow; empty for none.
  ADD COLUMN successor text COLLATE "C" NOT NULL DEFAULT '';

-- One shop's Redis is not another's: the name of this one stands in its Redis too. It survives a return to a backup.
ALTER TABLE database_lineage
  ADD COLUMN shop text COLLATE "C" NOT NULL DEFAULT left(replace(gen_random_uuid()::text, '-', ''), 12);
