-- Transactions of owners in several partitions: what partitions have to tell each other, and what of it is not over yet.
-- docs/decisions/023-across-owners.md has the protocol.

-- The account on the other side of a row that goes to or comes from `house:transit`. All rows of a transaction carry its id_key in every partition;
-- `leg` is party * 512 + stage * 256 + n, so legs below 256 are the decision of the partition that coordinates (party 0, stage 0).
-- Bits 64 and 128 of `kind`: the amount leaves `held` of the from (to) side too, because it was reserved before (kinds 13 and 14).
alter table suanpan.journal add column far text;

-- One row per partition and other partition that it ever talked to. Messages are numbered 1, 2, 3.. in each direction.
create table suanpan.link (
  partition       smallint    not null,
  peer            smallint    not null,
  sent            bigint      not null,                -- number of the last message to the peer
  acked           bigint      not null,                -- the peer has these, and every answer to them was applied here
  received        bigint      not null,                -- number of the last message of the peer that was applied
  answered        bigint      not null,                -- number of the last question to the peer whose answer was applied
  primary key (partition, peer)
) with (fillfactor = 30);

-- Messages that are not acknowledged, one row per commit and peer.
create table suanpan.outbox (
  partition       smallint    not null,
  peer            smallint    not null,
  first           bigint      not null,
  last            bigint      not null,
  messages        bytea       not null,                -- JSON (schemas/packet.ts)
  primary key (partition, peer, last)
) with (fillfactor = 90);
alter table suanpan.outbox alter column messages set storage external;

-- Undecided transactions of more than two partitions: at the coordinator with the answers so far, at a participant with what it holds.
create table suanpan.joint (
  partition       smallint    not null,
  id_key          uuid        not null,
  record          bytea       not null,                -- JSON (schemas/joint-record.ts)
  primary key (partition, id_key)
) with (fillfactor = 80);
alter table suanpan.joint alter column record set storage external;

-- Writes what a commit moves of links. Called inside the commit, before `advance`. Arrays run in parallel, one element a link; `messages` is null
-- where nothing is sent. `joint_records` null: over.
create procedure suanpan.advance_links(
  partitions smallint[], peers smallint[], sents bigint[], ackeds bigint[], receiveds bigint[], answereds bigint[],
  firsts bigint[], messages bytea[], joint_partitions smallint[], joint_keys uuid[], joint_records bytea[]
) language plpgsql
  -- Few rows by their key, out of tables that are written and emptied all the time and whose statistics lag behind.
  set enable_seqscan to off set enable_hashjoin to off set enable_mergejoin to off
as $$
begin
  delete from suanpan.outbox o
   using unnest(partitions, peers, ackeds) as u(partition, peer, acked)
   where o.partition = u.partition and o.peer = u.peer and o.last <= u.acked;
  insert into suanpan.outbox (partition, peer, first, last, messages)
  select u.partition, u.peer, u.first, u.sent, u.message
    from unnest(partitions, peers, firsts, sents, messages) as u(partition, peer, first, sent, message)
   where u.message is not null;
  insert into suanpan.link as l (partition, peer, sent, acked, received, answered)
  select * from unnest(partitions, peers, sents, ackeds, receiveds, answereds)
  on conflict (partition, peer) do update
     set sent = excluded.sent, acked = excluded.acked, received = excluded.received, answered = excluded.answered;
  if cardinality(joint_keys) > 0 then
    delete from suanpan.joint j
     using unnest(joint_partitions, joint_keys, joint_records) as u(partition, key, record)
     where j.partition = u.partition and j.id_key = u.key and u.record is null;
    insert into suanpan.joint as j (partition, id_key, record)
    select * from unnest(joint_partitions, joint_keys, joint_records) as u(partition, key, record) where u.record is not null
    on conflict (partition, id_key) do update set record = excluded.record;
  end if;
end $$;

create or replace view suanpan.named_journal as
  select j.partition, j.pseq, j.leg, j.kind, coalesce(j.code, 0) as code, j.id_key, j.id, j.link, j.amount, j.at,
         (extract(epoch from j.at) * 1000)::bigint as at_ms, j.business_date - date '1970-01-01' as date, j.channel,
         j.from_key, coalesce(fa.id, fc.id) as from_id, coalesce(fa.asset, fc.asset) as from_asset, coalesce(fa.normal, 'credit') as from_normal,
         j.from_seq, j.from_balance, j.from_held,
         j.to_key, coalesce(ta.id, tc.id) as to_id, coalesce(ta.asset, tc.asset) as to_asset, coalesce(ta.normal, 'credit') as to_normal,
         j.to_seq, j.to_balance, j.to_held,
         d.body as detail, j.far
    from suanpan.journal j
    left join suanpan.account fa on fa.key = j.from_key
    left join suanpan.cell fc on fc.key = j.from_key
    left join suanpan.account ta on ta.key = j.to_key
    left join suanpan.cell tc on tc.key = j.to_key
    left join suanpan.detail d on d.partition = j.partition and d.pseq = j.pseq - (j.leg & 255);

create or replace view suanpan.entries as
  select j.from_key as key, j.from_seq as seq, j.at, j.business_date, j.id as transaction, (j.kind & 63)::smallint as kind, j.to_key as counterparty,
         case when j.kind & 63 in (4, 6, 7, 13, 14) then 0 else -j.amount end as amount,
         case when j.kind & 63 in (4, 13) then j.amount when j.kind & 63 in (5, 6, 7, 14) or j.kind & 64 <> 0 then -j.amount else 0 end as held_change,
         j.from_balance as balance, coalesce(j.from_held, 0) as held, j.partition, j.pseq, j.leg, j.far
    from suanpan.journal j where j.from_seq is not null
  union all
  select j.to_key, j.to_seq, j.at, j.business_date, j.id, (j.kind & 63)::smallint, j.from_key, j.amount,
         case when j.kind & 128 <> 0 then -j.amount else 0 end, j.to_balance, coalesce(j.to_held, 0), j.partition, j.pseq, j.leg, j.far
    from suanpan.journal j where j.to_seq is not null;
