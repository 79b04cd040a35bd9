import CartDomain

extension PostgresCarts {
  /// For so long a guest's cart lives after its last use.
  static let guestLifetime = "interval '\(Cart.guestLifetimeMilliseconds / 86_400_000) days'"

  static let lineage = PostgresStatement(
    "lineage", "SELECT tag, (SELECT max(l.number) FROM sync_lanes l) FROM database_lineage WHERE is_only_row")

  static let advance = PostgresStatement(
    "lineage_advance", "WITH \(lane("$1", since: "$2")) SELECT tag, number FROM lane")

  /// Raises the number of a lane, and answers it with the database's tag as `lane`. A database whose number is lower than
  /// the one that was last seen in the lane has gone back, and gets a new tag. The numbers only grow, so that the row can be
  /// read before it is locked.
  private static func lane(_ lane: String, since number: String) -> String {
    """
    former AS (
      SELECT coalesce((SELECT number FROM sync_lanes WHERE lane = \(lane)), 0) AS number
    ), raised AS (
      INSERT INTO sync_lanes AS present (lane, number) VALUES (\(lane), next_generation(\(number)))
      ON CONFLICT (lane) DO UPDATE SET number = next_generation(greatest(present.number, \(number)))
      RETURNING number
    ), renamed AS (
      UPDATE database_lineage SET tag = left(replace(gen_random_uuid()::text, '-', ''), 8)
      FROM former WHERE is_only_row AND former.number < \(number)
      RETURNING tag
    ), lane AS (
      SELECT coalesce((SELECT tag FROM renamed), (SELECT tag FROM database_lineage WHERE is_only_row)) AS tag, raised.number
      FROM raised
    )
    """
  }

  static let row = PostgresStatement(
    "cart_row", "SELECT \(CartRow.columns) FROM carts c WHERE c.owner_kind = $1 AND c.owner_id = $2")

  static let commands = PostgresStatement(
    "cart_commands",
    """
    SELECT owner_kind, owner_id, number, previous, action, payload, request_id FROM cart_inbox
    WHERE owner_kind = $1 AND owner_id = $2 AND number > $3 ORDER BY number
    """)

  static let waiting = PostgresStatement(
    "cart_commands_waiting",
    """
    SELECT owner_kind, owner_id, (extract(epoch FROM created_at) * 1000000)::bigint FROM cart_inbox
    WHERE created_at <= now() - $1::integer * interval '1 millisecond'
      AND created_at > timestamptz 'epoch' + $2::bigint * interval '1 microsecond'
    ORDER BY created_at LIMIT $3
    """)

  private static let servable = """
    (owner_kind, owner_id) > ($1, $2) AND state <> 2 AND (expires_at IS NULL OR expires_at > now())
      AND (version > 0 OR inbox_number > inbox_applied)
    """

  static let page = PostgresStatement(
    "cart_page",
    "SELECT owner_kind, owner_id FROM carts WHERE \(servable) ORDER BY owner_kind, owner_id LIMIT $3")

  static let pageCount = PostgresStatement("cart_page_count", "SELECT count(*) FROM carts WHERE \(servable)")

  /// Makes the rows that are missing and locks the others, in the order in which ``persist`` takes them too: a row that
  /// is made before the one in front of it is locked would end in a deadlock with a synchroniser. `DO NOTHING` locks
  /// nothing. A guest's row has an end from the beginning, which the first copy puts right: there may never be one.
  static let add = PostgresStatement(
    "cart_add",
    """
    INSERT INTO carts AS present (owner_kind, owner_id, expires_at)
    SELECT kind, id, CASE kind WHEN 'guest' THEN now() + \(guestLifetime) END
    FROM unnest($1::text[], $2::text[], $3::boolean[]) AS o (kind, id, is_known)
    WHERE is_known OR EXISTS (SELECT FROM carts c WHERE c.owner_kind = kind AND c.owner_id = id)
    ORDER BY kind COLLATE "C", id COLLATE "C"
    ON CONFLICT (owner_kind, owner_id) DO UPDATE SET epoch = present.epoch WHERE false
    """)

  static let lock = PostgresStatement(
    "cart_lock",
    """
    SELECT \(CartRow.columns)
    FROM carts c JOIN unnest($1::text[], $2::text[]) AS o (kind, id) ON c.owner_kind = o.kind AND c.owner_id = o.id
    ORDER BY c.owner_kind, c.owner_id FOR UPDATE OF c
    """)

  /// `$3` epoch, `$4` version of the copy in Redis, less than any where there is none; `$5` whether it is of another
  /// history. A later version than this database knows may have been given where Redis's copy is such a one, and where it
  /// is older than the one here, or gone, though Redis did not let go of it.
  static let raise = PostgresStatement(
    "cart_raise",
    """
    UPDATE carts c SET epoch = next_generation(greatest(c.epoch, o.epoch)), is_released = false,
      version_floor = coalesce(o.skip, c.version_floor)
    FROM (
      SELECT kind, id, n.epoch, CASE
        WHEN is_stray AND n.version > 0
          OR NOT p.is_released AND greatest(p.version, p.version_floor) > 0
            AND (p.data_epoch, p.version) > (n.epoch, n.version)
        THEN (greatest(p.version, p.version_floor, n.version) / \(CartRow.versionStep) + 1) * \(CartRow.versionStep)
      END AS skip
      FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::boolean[])
        AS n (kind, id, epoch, version, is_stray)
      JOIN carts p ON p.owner_kind = kind AND p.owner_id = id
    ) o
    WHERE c.owner_kind = o.kind AND c.owner_id = o.id
    RETURNING c.owner_kind, c.owner_id, c.epoch, o.skip
    """)

  /// ``columns(of:)`` as a table.
  static let copies = """
    SELECT * FROM unnest(
      $1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::bigint[], $7::jsonb[], $8::bytea[],
      $9::bigint[], $10::smallint[], $11::text[], $12::bigint[], $13::bigint[], $14::bigint[])
      WITH ORDINALITY AS n (owner_kind, owner_id, epoch, version, currency, clock, lines, retry_ring, inbox_applied,
        state, merged_into, cookie_renewed, updated, expires, position)
    """

  /// Writes ``copies`` under their guard. A copy of the same place may be written again: its end and its ring of retry
  /// keys can be newer. A command that found nothing to do leaves the version, and is a place of its own all the same. So
  /// is a merge that was begun: within an epoch it is never undone.
  static let writeCopies = """
    INSERT INTO carts AS present (owner_kind, owner_id, epoch, data_epoch, version, currency, clock, lines,
      retry_ring, inbox_number, inbox_applied, state, merged_into, cookie_renewed_at, updated_at, synced_at,
      expires_at)
    SELECT owner_kind, owner_id, epoch, epoch, version, currency, clock, lines, retry_ring, inbox_applied,
      inbox_applied, state, merged_into, to_timestamp(cookie_renewed), to_timestamp(updated / 1000.0),
      clock_timestamp(), to_timestamp(expires)
    FROM copies ORDER BY owner_kind COLLATE "C", owner_id COLLATE "C"
    ON CONFLICT (owner_kind, owner_id) DO UPDATE SET
      epoch = greatest(present.epoch, excluded.epoch), data_epoch = excluded.data_epoch, version = excluded.version,
      currency = excluded.currency, clock = excluded.clock, lines = excluded.lines,
      retry_ring = excluded.retry_ring, inbox_number = greatest(present.inbox_number, excluded.inbox_number),
      inbox_applied = excluded.inbox_applied, state = excluded.state, merged_into = excluded.merged_into,
      is_released = false, cookie_renewed_at = greatest(present.cookie_renewed_at, excluded.cookie_renewed_at),
      updated_at = greatest(present.updated_at, excluded.updated_at), synced_at = excluded.synced_at,
      expires_at = CASE
        WHEN present.data_epoch = 0 THEN excluded.expires_at ELSE greatest(present.expires_at, excluded.expires_at) END
    WHERE present.state <> 2 AND present.epoch <= excluded.epoch
      AND (present.data_epoch, present.version, present.inbox_applied)
        <= (excluded.data_epoch, excluded.version, excluded.inbox_applied)
      AND (present.data_epoch, present.state) <= (excluded.data_epoch, excluded.state)
    """

  static let persist = PostgresStatement(
    "cart_persist",
    """
    WITH copies AS (\(copies)), written AS (\(writeCopies) RETURNING owner_kind, owner_id)
    SELECT copies.position, d.tag
    FROM copies JOIN written USING (owner_kind, owner_id) JOIN database_lineage d ON d.is_only_row
    """)

  /// All that a syncer does with a batch, as one statement: no lock waits for an answer of the syncer's. It passes over
  /// carts whose rows somebody else has locked, of which one would hold up the others; drops the commands that the written
  /// copies contain; and raises the number of the lane `$15`, seen last at `$16`.
  static let persistUnlocked = PostgresStatement(
    "cart_persist_unlocked",
    """
    WITH given AS (\(copies)), free AS (
      SELECT c.owner_kind, c.owner_id FROM carts c JOIN given USING (owner_kind, owner_id)
      ORDER BY c.owner_kind, c.owner_id FOR UPDATE OF c SKIP LOCKED
    ), copies AS (
      SELECT given.* FROM given
        LEFT JOIN free USING (owner_kind, owner_id) LEFT JOIN carts c USING (owner_kind, owner_id)
      WHERE free.owner_id IS NOT NULL OR c.owner_id IS NULL
    ), written AS (
      \(writeCopies) RETURNING owner_kind, owner_id, inbox_applied
    ), delivered AS (
      DELETE FROM cart_inbox i USING written w
      WHERE w.inbox_applied > 0 AND i.owner_kind = w.owner_kind AND i.owner_id = w.owner_id AND i.number <= w.inbox_applied
    ), \(lane("$15", since: "$16"))
    SELECT given.position, lane.tag, lane.number
    FROM lane LEFT JOIN (given JOIN written USING (owner_kind, owner_id)) ON true
    """)

  static let tryToPersist = PostgresStatement(
    "cart_try",
    """
    INSERT INTO carts (owner_kind, owner_id) VALUES ('guest', '') ON CONFLICT (owner_kind, owner_id) DO UPDATE SET epoch = 0
    """)

  /// Drops the commands that the copies contain. A cart that was merged has nothing to follow any more.
  static let delivered = PostgresStatement(
    "cart_delivered",
    """
    DELETE FROM cart_inbox i USING unnest($1::text[], $2::text[]) AS o (kind, id), carts c
    WHERE c.owner_kind = o.kind AND c.owner_id = o.id
      AND i.owner_kind = o.kind AND i.owner_id = o.id
      AND i.number <= CASE WHEN c.state = 2 THEN c.inbox_number ELSE c.inbox_applied END
    """)

  static let places = PostgresStatement(
    "cart_places",
    """
    SELECT o.position, c.epoch, c.state = 2, c.data_epoch, c.version, c.inbox_applied
    FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS o (kind, id, position)
    JOIN carts c ON c.owner_kind = o.kind AND c.owner_id = o.id
    """)

  static let release = PostgresStatement(
    "cart_release",
    """
    UPDATE carts SET is_released = true
    WHERE owner_kind = $1 AND owner_id = $2 AND epoch = $3 AND data_epoch = $3 AND version = $4
    """)

  /// Looks at `$3` rows behind the owner `$1`, `$2`, and removes those that are over: guests' that ended more than a day
  /// ago, and users' that were emptied as long ago. It goes by the primary key: an index of ends would have to change
  /// with every change of a guest's cart.
  static let sweep = PostgresStatement(
    "cart_sweep",
    """
    WITH page AS (
      SELECT owner_kind, owner_id, \(isOver("c")) AS is_over FROM carts c
      WHERE (owner_kind, owner_id) > ($1, $2) ORDER BY owner_kind, owner_id LIMIT $3
    ), gone AS (
      DELETE FROM carts c USING page p
      WHERE p.is_over AND c.owner_kind = p.owner_kind AND c.owner_id = p.owner_id AND \(isOver("c"))
      RETURNING c.owner_kind, c.owner_id
    ), commands AS (
      DELETE FROM cart_inbox i USING gone g WHERE i.owner_kind = g.owner_kind AND i.owner_id = g.owner_id
    )
    SELECT (SELECT count(*) FROM page), (SELECT count(*) FROM gone), owner_kind, owner_id FROM page
    ORDER BY owner_kind DESC, owner_id DESC LIMIT 1
    """)

  private static func isOver(_ row: String) -> String {
    """
    CASE \(row).owner_kind
      -- Guests of former versions who logged in before their cart was persisted have no end.
      WHEN 'guest' THEN coalesce(\(row).expires_at, \(row).updated_at + \(guestLifetime)) < now() - interval '1 day'
      ELSE \(row).version = 0 AND \(row).data_epoch = 0 AND \(row).inbox_number = \(row).inbox_applied
        AND \(row).updated_at < now() - interval '1 day' END
    """
  }

  /// The parameters of ``persist``.
  static func columns(of copies: [(hash: CartHash, updatedAt: Timestamp)]) -> [PostgresParameter] {
    func integers(_ value: (CartHash) -> Int64?) -> PostgresParameter { .integers(copies.map { value($0.hash) }) }
    func texts(_ value: (CartHash) -> String?) -> PostgresParameter { .texts(copies.map { value($0.hash) }) }
    return Owners(copies.map(\.hash.cart.owner)).parameters + [
      integers { $0.epoch }, integers { $0.cart.version }, texts { $0.cart.currency?.code },
      integers { $0.cart.clock }, texts { CartRow.json(of: $0.cart.lines) }, texts { CartRow.text(of: $0.ring) },
      integers { $0.inboxNumber }, integers { $0.state.rawValue }, texts { $0.mergedInto },
      integers { $0.cookieRenewedSecond == 0 ? nil : $0.cookieRenewedSecond },
      .integers(copies.map(\.updatedAt.milliseconds)), integers { $0.cart.expiresAt?.seconds },
    ]
  }
}
