-- A file shows of its current version all that a list of a folder shows, so that a list looks at nothing else.
alter table nodes add column md5 {bytes};
-- Nothing here can fail half way, so that the engine need not remember what was there of every row.
update nodes set md5 = (select v.md5 from versions v where v.file = nodes.id and v.number = nodes.version),
    modified_by = coalesce(
        (select v.created_by from versions v where v.file = nodes.id and v.number = nodes.version), modified_by)
    where kind = 1;
update nodes set modified = (select v.modified from versions v where v.file = nodes.id and v.number = nodes.version)
    where kind = 1 and modified <> (
        select v.modified from versions v where v.file = nodes.id and v.number = nodes.version);

-- Changes are forgotten in the order of their ids, which is that of their times but for moments.
drop index changes_by_date;

-- On the embedded engine: tables that are their own index.
{tables}
