-- Guests' carts that were merged: each once, into one user's.
CREATE TABLE cart_merges (
  guest_id text COLLATE "C" PRIMARY KEY,
  user_id text COLLATE "C" NOT NULL,
  strategy text COLLATE "C" NOT NULL,
  -- Of the command in the user's inbox that takes the lines in.
  inbox_number bigint NOT NULL,
  merged_at timestamptz NOT NULL DEFAULT now()
);

-- Merges that somebody has begun and not ended. No column in it changes otherwise, so that copies stay on their pages.
CREATE INDEX carts_being_merged ON carts (owner_kind, owner_id) WHERE state = 1;
