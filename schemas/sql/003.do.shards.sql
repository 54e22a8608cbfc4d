-- Shards that are added while the service runs, and partitions that move between them. `shard` and `move` are used on the catalog only.

-- Counts the places that a partition has had: the catalog and the shard must agree on it, else one of them is an old copy.
alter table suanpan.partition_shard add column placed bigint not null default 1;
alter table suanpan.partition
  add column placed     bigint not null default 1,
  add column moving_to  integer;                       -- shard that it is being moved to: nobody may host it here any more

-- Not yet a segment of this shard: it is being filled with the journal of this partition, which another shard still holds.
alter table suanpan.segment add column moving smallint;

-- Shards beyond those that the environment names.
create table suanpan.shard (
  shard           integer     primary key,
  url             text        not null,                -- may hold a password: readable by the owner of the tables only
  added_at        timestamptz not null default now()
);
revoke all on suanpan.shard from public;

-- requested -> copying -> fenced -> switched -> done, or failed: everything is as it was before. See docs/decisions/016.
create table suanpan.move (
  id              bigint      primary key generated always as identity,
  partition       smallint    not null,
  from_shard      integer     not null,
  to_shard        integer     not null check (to_shard <> from_shard),
  state           text        not null default 'requested' check (state in ('requested', 'copying', 'fenced', 'switched', 'done', 'failed')),
  mover           text,                                -- process that carries it out
  tries           integer     not null default 0,
  rows            bigint      not null default 0,      -- copied so far
  stopped_ms      integer,                             -- how long the partition answered nobody
  error           text,
  requested_at    timestamptz not null default now(),
  changed_at      timestamptz not null default now()
);
create unique index move_open on suanpan.move (partition) where state not in ('done', 'failed');

-- The indexes that activation and the check of ids need and no more.
create procedure suanpan.index_segment(number integer) language plpgsql as $$
declare
  t text := suanpan.segment_table(number);
begin
  execute format('create unique index %I on suanpan.%I (id_key, leg)', t || '_id', t);
  execute format('create unique index %I on suanpan.%I (from_key, from_seq) where from_key > 0 and from_seq is not null', t || '_from', t);
  execute format('create unique index %I on suanpan.%I (to_key, to_seq) where to_key > 0 and to_seq is not null', t || '_to', t);
  execute format('create index %I on suanpan.%I (link) where link is not null', t || '_link', t);
end $$;

-- Opens the next segment of the shard, one above all that there are, unless one above `after` is open already. Returns the newest.
create function suanpan.open_next_segment(after integer) returns integer language plpgsql as $$
declare
  newest integer;
begin
  perform pg_advisory_xact_lock(hashtextextended('suanpan.segment', 0));
  select max(s.segment) into newest from suanpan.segment s where s.moving is null;
  if newest > after then return newest; end if;
  select max(s.segment) + 1 into newest from suanpan.segment s;
  call suanpan.open_segment(newest);
  return newest;
end $$;

-- A table for the journal of a partition that moves here. It becomes a segment when the partition has arrived.
create function suanpan.open_moving_segment(moved smallint) returns integer language plpgsql as $$
declare
  number integer;
begin
  perform pg_advisory_xact_lock(hashtextextended('suanpan.segment', 0));
  select coalesce(max(s.segment), 0) + 1 into number from suanpan.segment s;
  execute format('create table suanpan.%I (like suanpan.journal)', suanpan.segment_table(number));
  insert into suanpan.segment (segment, first_row, moving) values (number, 0, moved);
  return number;
end $$;

-- Removes what a shard holds of a partition that it does not host: a move that was undone, or what a finished one left behind.
create procedure suanpan.clear_partition(gone smallint) language plpgsql as $$
declare
  one record;
begin
  for one in select s.segment from suanpan.segment s where s.moving = gone loop
    execute format('drop table if exists suanpan.%I', suanpan.segment_table(one.segment));
    delete from suanpan.segment s where s.segment = one.segment;
  end loop;
  delete from suanpan.journal j where j.partition = gone;
  -- Segments are cut by the rows that were added since they were opened.
  update suanpan.segment s set first_row = s.first_row - (select p.pseq from suanpan.partition p where p.partition = gone)
   where s.closed_at is null and exists (select from suanpan.partition p where p.partition = gone);
  for one in select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid
              where c.relnamespace = 'suanpan'::regnamespace and c.relkind = 'r' and a.attname = 'partition' and not a.attisdropped
                and c.relname not in ('journal', 'partition_shard', 'move')
                and not exists (select from pg_inherits i where i.inhrelid = c.oid) loop
    execute format('delete from suanpan.%I where partition = $1', one.relname) using gone;
  end loop;
end $$;

-- Who hosts, where a pooler hides the sessions that a lock would belong to: HOST_LOCK=lease.
create table suanpan.host_lease (
  one             boolean     primary key default true check (one),
  holder          text        not null,
  expires_at      timestamptz not null                 -- by the clock of this database
);
