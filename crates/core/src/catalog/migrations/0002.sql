-- Folders, richer shares, versions with a date of their own, and what changed in a folder.

-- Who made a node, who changed it last, and with which node it went to the trash: its own id, or that
-- of the folder above it that was put there. `trashed` is 0 for what waits to be deleted for good.
alter table nodes add column created_by bigint;
alter table nodes add column modified_by bigint;
alter table nodes add column trashed_with bigint;
update nodes set created_by = owner, modified_by = owner;
update nodes set trashed_with = id where trashed is not null;

create index nodes_in_order on nodes (parent, kind, label_key, id) where trashed is null;
create index nodes_trashed_with on nodes (trashed_with, kind) where trashed_with is not null;
create index folders_of_owner on nodes (owner, id) where kind = 0 and trashed is null;

-- What is kept about the direct, live children of a folder. `changed` counts whole seconds and moves
-- forward with each change, by one at least.
create table folders (
    id bigint primary key references nodes (id),
    files bigint not null default 0,
    folders bigint not null default 0,
    bytes bigint not null default 0,
    changed bigint not null default 0
);
insert into folders (id, files, folders, bytes, changed)
    select f.id,
        (select count(*) from nodes n where n.parent = f.id and n.kind = 1 and n.trashed is null),
        (select count(*) from nodes n where n.parent = f.id and n.kind = 0 and n.trashed is null),
        (select coalesce(sum(n.size), 0) from nodes n
            where n.parent = f.id and n.kind = 1 and n.trashed is null),
        f.created / 1000000
    from nodes f where f.kind = 0;

-- Folders in the trash whose files have no mark of their own yet.
create table unmarked (
    folder bigint primary key references nodes (id)
);

alter table nodes add column last_version bigint;
update nodes set last_version = version where kind = 1;

alter table versions add column modified bigint;
update versions set modified = created;

-- What happened to the direct children of a folder: action 1 is added, 2 changed, 3 gone.
create table changes (
    id {identity},
    folder bigint not null,
    at bigint not null,
    node bigint not null,
    kind bigint not null,
    hex {text},
    action bigint not null
);
create index changes_in_folder on changes (folder, at);
create index changes_by_date on changes (at);

-- A share names its recipient by kind: 0 a user, 1 an e-mail (and the user who has it, once there is
-- one), 2 everyone who signs in, 3 whoever has the link. `via` is the share that its sharer had the
-- right from. A link's secret is found by its hash and sealed under a master key to be shown again.
alter table shares rename to old_shares;
create table shares (
    id {identity},
    node bigint not null references nodes (id),
    sharer bigint not null,
    kind bigint not null,
    user_id bigint references users (id),
    email {text},
    email_key {text},
    role bigint not null,
    sharing bigint not null default 0,
    via bigint,
    comment {text} not null default '',
    created bigint not null,
    expires bigint,
    link_hash {bytes} unique,
    link_master_key {text},
    link_wrapped {bytes}
);
insert into shares (id, node, sharer, kind, user_id, role, created)
    select s.id, s.node, n.owner, 0, s.user_id, s.role, s.created
    from old_shares s join nodes n on n.id = s.node;
drop table old_shares;
create unique index shares_of_user on shares (node, sharer, user_id) where kind = 0;
create index shares_of_node on shares (node);
create index shares_with_user on shares (user_id, node);
create index shares_by_sharer on shares (sharer, id);
create index shares_by_email on shares (email_key) where email_key is not null;
create index shares_public on shares (node) where kind = 2;
create index shares_via on shares (via) where via is not null;

-- How many bytes a user's live files may take; null is any number.
alter table users add column quota bigint;
