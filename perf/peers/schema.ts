// The tables of the rivals, as a team would have them: accounts with their balance, entries with a unique id and a unique number per account. The index
// entries a debit are those of Suanpan's journal (id, account and number). Numbers instead of text keys in `entry` keep its index narrow, and pages of
// accounts that are not filled let updates stay in their page.
import pg from 'pg'

const tables = `
  CREATE TABLE account (
    key       bigint PRIMARY KEY,
    id        text COLLATE "C" NOT NULL UNIQUE,
    overdraft bigint NOT NULL,
    balance   bigint NOT NULL DEFAULT 0,
    seq       bigint NOT NULL DEFAULT 0,
    CHECK (balance + overdraft >= 0)
  ) WITH (fillfactor = 40);
  CREATE TABLE entry (
    id           text COLLATE "C" PRIMARY KEY,
    account      bigint NOT NULL,
    seq          bigint NOT NULL,
    amount       bigint NOT NULL,
    balance      bigint NOT NULL,
    counterparty text NOT NULL,
    at           timestamptz NOT NULL DEFAULT now()
  );
  CREATE UNIQUE INDEX ON entry (account, seq);`

/** One statement that checks, updates and journals: what the SQL-function rival is, and what others run under a lock of their own. */
const debitOne = `
  CREATE FUNCTION debit(p_id text, p_key bigint, p_amount bigint, OUT new_balance bigint, OUT new_seq bigint) LANGUAGE plpgsql AS $$
  BEGIN
    UPDATE account SET balance = balance - p_amount, seq = seq + 1
     WHERE key = p_key AND balance + overdraft >= p_amount RETURNING balance, seq INTO new_balance, new_seq;
    IF FOUND THEN
      INSERT INTO entry (id, account, seq, amount, balance, counterparty)
      VALUES (p_id, p_key, new_seq, -p_amount, new_balance, 'house:settlement:default');
    END IF;
  END $$;`

/**
 * Many debits in one set-based statement. Running sums per account give each its number and balance; the CHECK on the account refuses the
 * whole if one would overdraw, the primary key if an id stands already. Both are rare: then `debit_each` goes through them one by one.
 */
const debitMany = `
  CREATE FUNCTION debit_many(p_ids text[], p_keys bigint[], p_amounts bigint[])
  RETURNS TABLE (new_balance bigint, new_seq bigint) LANGUAGE sql AS $$
    WITH given AS (
      SELECT id, key, amount, n,
             sum(amount) OVER same AS running, row_number() OVER same AS step
        FROM unnest(p_ids, p_keys, p_amounts) WITH ORDINALITY AS g(id, key, amount, n)
      WINDOW same AS (PARTITION BY key ORDER BY n ROWS UNBOUNDED PRECEDING)
    ), totals AS (
      SELECT key, max(running) AS amount, max(step) AS steps FROM given GROUP BY key ORDER BY key
    ), updated AS (
      UPDATE account a SET balance = a.balance - t.amount, seq = a.seq + t.steps
        FROM totals t WHERE a.key = t.key
      RETURNING a.key, a.balance + t.amount AS balance, a.seq - t.steps AS seq
    ), written AS (
      INSERT INTO entry (id, account, seq, amount, balance, counterparty)
      SELECT g.id, g.key, u.seq + g.step, -g.amount, u.balance - g.running, 'house:settlement:default'
        FROM given g JOIN updated u USING (key)
    )
    SELECT u.balance - g.running, u.seq + g.step FROM given g JOIN updated u USING (key) ORDER BY g.n
  $$;`

const debitEach = `
  CREATE FUNCTION debit_each(p_ids text[], p_keys bigint[], p_amounts bigint[])
  RETURNS TABLE (new_balance bigint, new_seq bigint) LANGUAGE plpgsql AS $$
  BEGIN
    FOR i IN 1 .. cardinality(p_ids) LOOP
      new_balance := NULL; new_seq := NULL;
      IF NOT EXISTS (SELECT FROM entry e WHERE e.id = p_ids[i]) THEN
        SELECT d.new_balance, d.new_seq INTO new_balance, new_seq FROM debit(p_ids[i], p_keys[i], p_amounts[i]) d;
      END IF;
      RETURN NEXT;
    END LOOP;
  END $$;`

/** Empty database -> tables, functions and accounts `cust-0:cash` .. that can go so far below zero. */
export async function createPeerTables(url: string, accounts: number, overdraft = 100_000_000_000): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    for (const text of [tables, debitOne, debitMany, debitEach]) await client.query(text)
    await client.query(
      `INSERT INTO account (key, id, overdraft) SELECT n + 1, 'cust-' || n || ':cash', $2 FROM generate_series(0, $1::int - 1) n`,
      [accounts, overdraft],
    )
    await client.query('VACUUM ANALYZE account')
  } finally {
    await client.end()
  }
}

/** What a run must have left: exactly the acknowledged debits, all numbered, nothing overdrawn. Throws otherwise. */
export async function checkPeerTables(url: string, acknowledged: number): Promise<string> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const { rows } = await client.query<Record<'entries' | 'ids' | 'debited' | 'wrong' | 'overdrawn', string>>(`
      SELECT (SELECT count(*) FROM entry) AS entries, (SELECT count(DISTINCT id) FROM entry) AS ids,
             (SELECT coalesce(-sum(balance), 0) FROM account) AS debited,
             (SELECT count(*) FROM account WHERE balance + overdraft < 0) AS overdrawn,
             (SELECT count(*) FROM (
                SELECT account, seq, balance, amount,
                       row_number() OVER (PARTITION BY account ORDER BY seq) AS place,
                       sum(amount) OVER (PARTITION BY account ORDER BY seq) AS running FROM entry) e
               WHERE e.seq <> e.place OR e.balance <> e.running) AS wrong`)
    const [found] = rows
    const expected = { entries: acknowledged, ids: acknowledged, debited: acknowledged, overdrawn: 0, wrong: 0 }
    for (const [name, count] of Object.entries(expected)) {
      const stands = Number(found?.[name as keyof typeof expected])
      if (stands !== count) throw new Error(`a rival's books are wrong: ${name} is ${stands} instead of ${count}`)
    }
    return `${acknowledged} debits, each once, numbered, balances right, nothing overdrawn`
  } finally {
    await client.end()
  }
}
