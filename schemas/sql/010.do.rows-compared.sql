-- A commit may bring rows of a partition whose position it does not move: its part of a transaction that came for another partition of the lane. Two
-- such commits stand at the same (epoch, position), so the number of the last row is compared as well: the second one never stands without the
-- first.

-- The compare-and-set that ends every commit: each partition must still be at (epoch, position, last row) as its host knows it, else nothing
-- commits. Arrays run in parallel, one element a partition, and those of the cells one element a cell. A chain is null where the commit has no
-- rows of the partition.
create or replace procedure suanpan.advance(
  host_name text, rules smallint, format smallint,
  partitions smallint[], epochs bigint[],
  old_generation bigint[], old_high bigint[], old_low bigint[], old_index integer[],
  new_generation bigint[], new_high bigint[], new_low bigint[], new_index integer[],
  attempts text[], first_pseqs bigint[], last_pseqs bigint[], opened bigint[], at_ms bigint[], chains bytea[],
  segments integer[], next_segments integer[],
  cell_keys bigint[], cell_balances bigint[], cell_helds bigint[], cell_seqs bigint[]
) language plpgsql as $$
declare
  hit integer;
begin
  update suanpan.partition p
     set generation = u.ng, frame_high = u.nh, frame_low = u.nl, frame_index = u.ni, attempt = u.attempt,
         pseq = u.last_pseq, accounts = u.opened, at = to_timestamp(u.at_ms / 1000.0),
         chain = coalesce(u.chain, p.chain), segment = u.next_segment
    from unnest(partitions, epochs, old_generation, old_high, old_low, old_index, new_generation, new_high, new_low, new_index,
                attempts, first_pseqs, last_pseqs, opened, at_ms, chains, next_segments)
         as u(partition, epoch, og, oh, ol, oi, ng, nh, nl, ni, attempt, first_pseq, last_pseq, opened, at_ms, chain, next_segment)
   where p.partition = u.partition and p.epoch = u.epoch and p.pseq = u.first_pseq - 1
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
  if cardinality(cell_keys) > 0 then
    update suanpan.cell c set balance = u.balance, held = u.held, seq = u.seq
      from unnest(cell_keys, cell_balances, cell_helds, cell_seqs) as u(key, balance, held, seq)
     where c.key = u.key;
  end if;
end $$;
