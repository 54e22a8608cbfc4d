-- The tables of one shard. The first shard is also the catalog: `asset` and `partition_shard` are read and written there only.
-- Money is bigint minor units. A partition is written by its one host; every commit ends with `suanpan.advance`, which fences all others.

create table suanpan.ledger (
  one             boolean     primary key default true check (one),
  id              uuid        not null,                -- the same on every shard of a ledger
  shard           integer     not null,                -- number of this shard, 0 = catalog
  partitions      integer     not null check (partitions between 1 and 1024),
  hash            text        not null,                -- name and version of the hash that places owners
  time_zone       text        not null,                -- of business dates
  created_at      timestamptz not null default now()
);

create table suanpan.asset (
  code            text        primary key,
  scale           smallint    not null check (scale between 0 and 8),
  auto_open       boolean     not null,
  created_at      timestamptz not null default now()
);

create table suanpan.partition_shard (
  partition       smallint    primary key,
  shard           integer     not null
);

-- One row a partition: who may write it (epoch), how far its mailbox is consumed (position) and the head of its journal.
create table suanpan.partition (
  partition       smallint    primary key,
  epoch           bigint      not null default 0,      -- fencing token of the present host
  host            text        not null default '',     -- application_name of its backends
  generation      bigint      not null default 0,      -- position: consumed up to and including it
  frame_high      bigint      not null default 0,
  frame_low       bigint      not null default 0,
  frame_index     integer     not null default 0,
  attempt         text,                                -- position of a suspect command that is being tried alone
  pseq            bigint      not null default 0,      -- number of the last journal row
  accounts        bigint      not null default 0,      -- accounts and cells opened: the source of keys
  at              timestamptz not null default '1970-01-01T00:00:00Z',  -- time of the last decision
  chain           bytea       not null,                -- head of the hash chain
  segment         integer     not null default 1       -- journal segment that its next commit writes to
) with (fillfactor = 30);

create table suanpan.account (
  key             bigint      primary key,             -- partition * 2^40 + n
  partition       smallint    not null,
  id              text        not null unique,
  owner           text        not null,
  asset           text        not null,
  normal          text        not null check (normal in ('credit', 'debit')),
  status          text        not null check (status in ('open', 'frozen', 'closed')),
  overdraft       bigint      not null check (overdraft >= 0),
  version         bigint      not null,
  metadata        text,                                -- JSON as given at the opening
  opened_at       timestamptz not null,
  -- As of the last closed segment that has a row of it (0: none yet); rows of open segments come on top. Written when a segment closes.
  last_segment    integer     not null default 0,
  seq             bigint      not null default 0,
  balance         bigint      not null default 0,
  held            bigint      not null default 0
) with (fillfactor = 90);
create index account_owner on suanpan.account (owner, id);

-- A house account is kept as one cell per partition and asset. Its numbers stand here, because its sides are not indexed in the journal.
create table suanpan.cell (
  key             bigint      primary key check (key < 0),
  partition       smallint    not null,
  id              text        not null,
  asset           text        not null,
  balance         bigint      not null,
  held            bigint      not null,
  seq             bigint      not null,
  opened_at       timestamptz not null,
  unique (id, asset, partition)
) with (fillfactor = 30);

-- One row per transfer with both its sides, or per decision without sides. Rows stand in the segments that inherit from this table.
-- kind and code: the numbers of core/row.ts and core/code.ts. A side is touched exactly if its seq is not null; held is null where it is 0.
create table suanpan.journal (
  pseq            bigint      not null,                -- dense per partition, from 1
  at              timestamptz not null,
  amount          bigint      not null,
  from_key        bigint,
  from_seq        bigint,
  from_balance    bigint,
  from_held       bigint,
  to_key          bigint,
  to_seq          bigint,
  to_balance      bigint,
  to_held         bigint,
  id_key          uuid        not null,                -- first 16 bytes of SHA-256 over (scope, owner, id)
  link            uuid,                                -- id_key of the hold or of the original
  business_date   date        not null,
  partition       smallint    not null,
  leg             smallint    not null,
  kind            smallint    not null,
  code            smallint,                            -- null: accepted
  id              text        not null,                -- the client's id
  channel         text,
  detail_hash     bytea                                -- on leg 0: SHA-256(salt, body) of its row in `detail`, if it has one
);

-- What the rows do not say of a transaction: its body as given (reference, metadata, dates ..) and the facts of a refusal. May be erased.
create table suanpan.detail (
  partition       smallint    not null,
  pseq            bigint      not null,                -- of leg 0
  salt            bytea       not null,
  body            text        not null,
  primary key (partition, pseq)
);

-- Open holds only.
create table suanpan.hold (
  id_key          uuid        primary key,
  key             bigint      not null,                -- of the account
  partition       smallint    not null,
  id              text        not null,
  to_key          bigint      not null,
  amount          bigint      not null,
  remaining       bigint      not null check (remaining > 0),
  expires_at      timestamptz
) with (fillfactor = 80);
create index hold_account on suanpan.hold (key);
create index hold_expiry on suanpan.hold (expires_at) where expires_at is not null;

-- One row per partition and commit: its link in the hash chain, SHA-256(previous chain, binary COPY bytes of its rows).
create table suanpan.commit (
  partition       smallint    not null,
  first_pseq      bigint      not null,
  last_pseq       bigint      not null,
  epoch           bigint      not null,
  host            text        not null,                -- process and thread that decided
  decided_at      timestamptz not null,
  rules_version   smallint    not null,
  row_format      smallint    not null,
  segment         integer     not null,
  chain           bytea       not null,
  primary key (partition, last_pseq)
);

create table suanpan.segment (
  segment         integer     primary key,
  opened_at       timestamptz not null default now(),
  first_row       bigint      not null,                -- journal rows of the shard when it was opened
  closed_at       timestamptz                          -- null: still written to, or its filters are not built yet
);

-- Bloom filters over the ids of closed segments, one per partition: "surely not seen" without a query.
create table suanpan.id_filter (
  segment         integer     not null,
  partition       smallint    not null,
  ids             bigint      not null,
  bits            bytea       not null,
  primary key (segment, partition)
);

create function suanpan.segment_table(number integer) returns text language sql immutable as
  $$ select 'journal_' || lpad(number::text, greatest(4, length(number::text)), '0') $$;

-- Opens a segment; once is enough. The open segment has the indexes that activation and the check of ids need and no more.
create procedure suanpan.open_segment(number integer) language plpgsql as $$
declare
  t text := suanpan.segment_table(number);
begin
  perform pg_advisory_xact_lock(hashtextextended('suanpan.segment', 0));
  if exists (select from suanpan.segment s where s.segment = number) then return; end if;
  execute format('create table suanpan.%I () inherits (suanpan.journal)', t);
  execute format('create unique index %I on suanpan.%I (id_key, leg)', t || '_id', t);
  execute format('create unique index %I on suanpan.%I (from_key, from_seq) where from_key > 0 and from_seq is not null', t || '_from', t);
  execute format('create unique index %I on suanpan.%I (to_key, to_seq) where to_key > 0 and to_seq is not null', t || '_to', t);
  execute format('create index %I on suanpan.%I (link) where link is not null', t || '_link', t);
  insert into suanpan.segment (segment, first_row) select number, coalesce(sum(p.pseq), 0) from suanpan.partition p;
end $$;

-- The compare-and-set that ends every commit: each partition must still be at (epoch, position) as its host knows it, else nothing commits.
-- Arrays run in parallel, one element a partition. A chain is null where the commit has no rows of the partition.
create procedure suanpan.advance(
  host_name text, rules smallint, format smallint,
  partitions smallint[], epochs bigint[],
  old_generation bigint[], old_high bigint[], old_low bigint[], old_index integer[],
  new_generation bigint[], new_high bigint[], new_low bigint[], new_index integer[],
  attempts text[], first_pseqs bigint[], last_pseqs bigint[], opened bigint[], at_ms bigint[], chains bytea[],
  segments integer[], next_segments integer[]
) language plpgsql as $$
declare
  hit integer;
begin
  update suanpan.partition p
     set generation = u.ng, frame_high = u.nh, frame_low = u.nl, frame_index = u.ni, attempt = u.attempt,
         pseq = u.last_pseq, accounts = u.opened, at = to_timestamp(u.at_ms / 1000.0),
         chain = coalesce(u.chain, p.chain), segment = u.next_segment
    from unnest(partitions, epochs, old_generation, old_high, old_low, old_index, new_generation, new_high, new_low, new_index,
                attempts, last_pseqs, opened, at_ms, chains, next_segments)
         as u(partition, epoch, og, oh, ol, oi, ng, nh, nl, ni, attempt, last_pseq, opened, at_ms, chain, next_segment)
   where p.partition = u.partition and p.epoch = u.epoch
     and p.generation = u.og and p.frame_high = u.oh and p.frame_low = u.ol and p.frame_index = u.oi;
  get diagnostics hit = row_count;
  if hit <> cardinality(partitions) then
    raise exception 'a partition of % has moved on', partitions using errcode = 'SP001';
  end if;
  insert into suanpan.commit (partition, first_pseq, last_pseq, epoch, host, decided_at, rules_version, row_format, segment, chain)
  select u.partition, u.first_pseq, u.last_pseq, u.epoch, host_name, to_timestamp(u.at_ms / 1000.0), rules, format, u.segment, u.chain
    from unnest(partitions, first_pseqs, last_pseqs, epochs, at_ms, segments, chains)
         as u(partition, first_pseq, last_pseq, epoch, at_ms, segment, chain)
   where u.chain is not null;
end $$;

-- The journal with names: what people, reports and reads look at. Amounts in minor units.
create view suanpan.named_journal as
  select j.partition, j.pseq, j.leg, j.kind, coalesce(j.code, 0) as code, j.id_key, j.id, j.link, j.amount, j.at,
         (extract(epoch from j.at) * 1000)::bigint as at_ms, j.business_date - date '1970-01-01' as date, j.channel,
         j.from_key, coalesce(fa.id, fc.id) as from_id, coalesce(fa.asset, fc.asset) as from_asset, coalesce(fa.normal, 'credit') as from_normal,
         j.from_seq, j.from_balance, j.from_held,
         j.to_key, coalesce(ta.id, tc.id) as to_id, coalesce(ta.asset, tc.asset) as to_asset, coalesce(ta.normal, 'credit') as to_normal,
         j.to_seq, j.to_balance, j.to_held,
         d.body as detail
    from suanpan.journal j
    left join suanpan.account fa on fa.key = j.from_key
    left join suanpan.cell fc on fc.key = j.from_key
    left join suanpan.account ta on ta.key = j.to_key
    left join suanpan.cell tc on tc.key = j.to_key
    left join suanpan.detail d on d.partition = j.partition and d.pseq = j.pseq - j.leg;

-- One line a side: the statement of every account. Amounts in minor units, signed; accounts of the house are their cells.
create view suanpan.entries as
  select j.from_key as key, j.from_seq as seq, j.at, j.business_date, j.id as transaction, j.kind, j.to_key as counterparty,
         case when j.kind in (4, 6, 7) then 0 else -j.amount end as amount,
         case j.kind when 4 then j.amount when 5 then -j.amount when 6 then -j.amount when 7 then -j.amount else 0 end as held_change,
         j.from_balance as balance, coalesce(j.from_held, 0) as held, j.partition, j.pseq, j.leg
    from suanpan.journal j where j.from_seq is not null
  union all
  select j.to_key, j.to_seq, j.at, j.business_date, j.id, j.kind, j.from_key, j.amount, 0, j.to_balance, coalesce(j.to_held, 0), j.partition, j.pseq, j.leg
    from suanpan.journal j where j.to_seq is not null;
