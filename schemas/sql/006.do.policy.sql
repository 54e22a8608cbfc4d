-- What the commands of consumer finance need beside accounts and the journal.

-- The day or month that a lot of points names (`2027-06-15`, `2027-06`); null for any other account. Text, because any text may be a name.
create function suanpan.lot_day(account_id text) returns text language sql immutable as
  $$ select substring(account_id from '^[^:]+:points:(?:[^:]+:)?([0-9]{4}-[0-9]{2}(?:-[0-9]{2})?)$') $$;
create index account_lot on suanpan.account ((suanpan.lot_day(id) collate "C"), id) where suanpan.lot_day(id) is not null;

-- How far a job of every day has come.
create table suanpan.daily_job (
  name            text        primary key,
  done_before     date        not null                -- all days before it are done
);

-- Data that every partition sees in order: assets, points programs, campaigns. On the first shard every change, durable before it is sent; on the
-- others those that their partitions have journaled. What stands is the last change of a (kind, code).
create table suanpan.catalog_change (
  version         bigint      primary key,             -- dense, from 1
  kind            text        not null check (kind in ('asset', 'program', 'campaign')),
  code            text        not null,
  body            text        not null,                -- JSON
  created_at      timestamptz not null default now()
);
create index catalog_change_code on suanpan.catalog_change (kind, code, version);

-- The last change that a partition has journaled; no row: none yet.
create table suanpan.partition_catalog (
  partition       smallint    primary key,
  version         bigint      not null
);

-- Assets of version 0 are there from the creation of the ledger on; the others came with that change.
alter table suanpan.asset add column version bigint not null default 0;
