-- A capture without a link arrives from a hold of another partition: it comes out of `house:transit`, of which nothing was held.
create or replace view suanpan.entries as
  select j.from_key as key, j.from_seq as seq, j.at, j.business_date, j.id as transaction, (j.kind & 63)::smallint as kind, j.to_key as counterparty,
         case when j.kind & 63 in (4, 6, 7, 13, 14) then 0 else -j.amount end as amount,
         case when j.kind & 63 in (4, 13) then j.amount
              when j.kind & 63 in (6, 7, 14) or j.kind & 64 <> 0 or (j.kind & 63 = 5 and j.link is not null) then -j.amount
              else 0 end as held_change,
         j.from_balance as balance, coalesce(j.from_held, 0) as held, j.partition, j.pseq, j.leg, j.far
    from suanpan.journal j where j.from_seq is not null
  union all
  select j.to_key, j.to_seq, j.at, j.business_date, j.id, (j.kind & 63)::smallint, j.from_key, j.amount,
         case when j.kind & 128 <> 0 then -j.amount else 0 end, j.to_balance, coalesce(j.to_held, 0), j.partition, j.pseq, j.leg, j.far
    from suanpan.journal j where j.to_seq is not null;
