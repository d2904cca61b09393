create table new_contents (
    id blob primary key,
    size bigint not null,
    objects blob not null,
    sha512 blob,
    sealed blob
);
insert into new_contents select c.id, c.size, c.objects, c.sha512, i.sealed
    from contents c left join inline_contents i on i.content = c.id order by c.id;
-- Each page that is overwritten is kept in memory until the end. What is left in free pages is sealed, and of no use
-- without the keys of versions, which are overwritten.
pragma secure_delete = off;
drop table inline_contents;
drop table contents;
pragma secure_delete = on;
alter table new_contents rename to contents;
create index contents_without_sha512 on contents (id) where sha512 is null;
