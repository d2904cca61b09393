-- A key that is not an integer is an index beside its table, to be searched and written as well. These tables are
-- found and written with each request, so each becomes one tree of pages.

create table new_trees (
    owner integer primary key references users (id),
    root bigint not null,
    files bigint not null default 0,
    bytes bigint not null default 0,
    change bigint not null default 0,
    clock bigint not null default 0
);
insert into new_trees select owner, root, files, bytes, change, clock from trees;
drop table trees;
alter table new_trees rename to trees;

create table new_folders (
    id integer primary key references nodes (id),
    files bigint not null default 0,
    folders bigint not null default 0,
    bytes bigint not null default 0,
    changed bigint not null default 0
);
insert into new_folders select id, files, folders, bytes, changed from folders;
drop table folders;
alter table new_folders rename to folders;

create table new_label_numbers (
    parent bigint not null references nodes (id),
    label_key text not null,
    next bigint not null,
    primary key (parent, label_key)
) without rowid;
insert into new_label_numbers select parent, label_key, next from label_numbers order by parent, label_key;
drop table label_numbers;
alter table new_label_numbers rename to label_numbers;

create table new_contents (
    id blob primary key,
    size bigint not null,
    objects blob not null,
    sha512 blob
) without rowid;
insert into new_contents select id, size, objects, sha512 from contents order by id;
drop table contents;
alter table new_contents rename to contents;
create index contents_without_sha512 on contents (id) where sha512 is null;

create table new_audit_links (
    seq integer primary key,
    event bigint not null,
    master_key text not null,
    proof blob not null
);
insert into new_audit_links select seq, event, master_key, proof from audit_links;
drop table audit_links;
alter table new_audit_links rename to audit_links;
