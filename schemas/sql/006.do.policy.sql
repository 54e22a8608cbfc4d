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
