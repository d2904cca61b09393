-- Times are microseconds since the Unix epoch, UTC. Booleans are 0 and 1. Users are never deleted, so
-- what grows with the number of files does not refer to them: an insert that returns its id would look
-- for children to mend, row by row.

create table meta (
    key {text} primary key,
    value {text} not null
);

-- A canary sealed under each master key: a wrong key is found before anything is written with it.
create table master_keys (
    id {text} primary key,
    canary {bytes} not null,
    created bigint not null
);

create table users (
    id {identity},
    login {text} not null,
    login_key {text} not null unique,
    email {text} not null,
    email_key {text} not null unique,
    name {text} not null,
    password {text} not null,
    admin bigint not null,
    disabled bigint not null default 0,
    created bigint not null
);

create table tokens (
    id {identity},
    user_id bigint not null references users (id),
    hash {bytes} not null unique,
    label {text} not null,
    created bigint not null,
    expires bigint,
    last_used bigint
);
create index tokens_of_user on tokens (user_id);

-- What is kept about all of an owner's files, so that nothing has to be counted. A unit that writes
-- to the owner's tree updates this row first, which puts such units in order.
create table trees (
    owner bigint primary key references users (id),
    root bigint not null,
    files bigint not null default 0,
    bytes bigint not null default 0,
    change bigint not null default 0,
    clock bigint not null default 0
);

-- Folders (kind 0) and files (kind 1). `name` is as sent, `label` is unique among live siblings by
-- its folded key. Size, date and version number of a file are those of its current version.
create table nodes (
    id {identity},
    owner bigint not null,
    parent bigint references nodes (id),
    kind bigint not null,
    name {text} not null,
    name_key {text} not null,
    label {text} not null,
    label_key {text} not null,
    created bigint not null,
    modified bigint not null,
    trashed bigint,
    hex {text} unique,
    path {text},
    type_id bigint,
    version bigint,
    size bigint,
    uploaded bigint
);
create unique index nodes_by_label on nodes (parent, label_key) where trashed is null;
create index nodes_by_parent on nodes (parent);
create index files_by_date on nodes (owner, uploaded, id) where kind = 1 and trashed is null;
create index files_by_name on nodes (owner, name, id) where kind = 1 and trashed is null;
create index files_by_size on nodes (owner, size, id) where kind = 1 and trashed is null;
create index nodes_in_trash on nodes (trashed, id) where trashed is not null;

-- The next number to try for a taken label, so that the thousandth "input.dat" is found at once.
create table label_numbers (
    parent bigint not null references nodes (id),
    label_key {text} not null,
    next bigint not null,
    primary key (parent, label_key)
);

-- `objects` lists the stored objects in order, in the form that the wrapped key authenticates; an
-- empty list means that the content is inline.
create table contents (
    id {bytes} primary key,
    size bigint not null,
    objects {bytes} not null,
    sha512 {bytes}
);
create index contents_without_sha512 on contents (id) where sha512 is null;

-- A small content, sealed like an object.
create table inline_contents (
    content {bytes} primary key references contents (id),
    sealed {bytes} not null
);

create table versions (
    file bigint not null references nodes (id),
    number bigint not null,
    content {bytes} not null references contents (id),
    size bigint not null,
    md5 {bytes} not null,
    plain bigint not null,
    created bigint not null,
    created_by bigint not null,
    master_key {text} not null references master_keys (id),
    wrapped_key {bytes} not null,
    primary key (file, number)
);
create index versions_of_content on versions (content);

create table shares (
    id {identity},
    node bigint not null references nodes (id),
    user_id bigint not null references users (id),
    role bigint not null,
    created bigint not null,
    unique (node, user_id)
);
create index shares_with_user on shares (user_id, node);

-- An object that is being written, and until when its writer may take.
create table pending (
    blob {text} primary key,
    owner bigint not null,
    lease bigint not null
);
create index pending_by_lease on pending (lease);

-- An object that nothing needs any more, and since when.
create table doomed (
    blob {text} primary key,
    since bigint not null
);
create index doomed_by_date on doomed (since);
