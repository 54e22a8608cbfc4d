-- The filters of old segments are not kept in memory for ever. They are asked here then: each is stored once more, cut into the pages that hold all
-- bits of an id, and those of all segments for the same ids lie side by side. See docs/decisions/031.
create table suanpan.id_page (
  partition       smallint    not null,
  pages           integer     not null,                -- of the filter, a power of two
  page            integer     not null,                -- from 0; that of an id is its key's first word modulo `pages`
  segment         integer     not null,
  bits            bytea       not null,
  primary key (partition, pages, page, segment)
);

-- An id's bits lie in one page now: filters that were built before say nothing. They are built anew as if their segments had not been closed, which may be done
-- any number of times.
delete from suanpan.id_filter;
update suanpan.segment set closed_at = null where closed_at is not null;
