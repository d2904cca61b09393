-- The audit log: what was done, by whom, when, to what. A row is written in the unit of what it tells and
-- never changed. `single` is only there for what is told once: it names that.
create table audit (
    id {identity},
    at bigint not null,
    actor {text} not null,
    user_id bigint,
    act {text} not null,
    details {text} not null,
    single {text}
);
create unique index audit_single on audit (single) where single is not null;

-- The lines of the log, numbered from 1 without a gap, in the order in which they were linked. `proof` is
-- a keyed digest of the line's number and its link, under a key that comes from the master key.
create table audit_links (
    seq bigint primary key,
    event bigint not null,
    master_key {text} not null,
    proof {bytes} not null
);

-- Signed: after so many lines the link was this. The last line is `audit_head`, one row.
create table audit_checkpoints (
    seq bigint primary key,
    at bigint not null,
    link {bytes} not null,
    master_key {text} not null,
    signature {bytes} not null
);
create table audit_head (
    head bigint primary key,
    seq bigint not null,
    event bigint not null,
    at bigint not null,
    link {bytes} not null,
    master_key {text} not null,
    signature {bytes} not null
);

-- Sign-ins that failed within a minute that is not over: then each row becomes an event. User 0 is no one
-- who is known; an address is empty where it is not told apart.
create table audit_failures (
    minute bigint not null,
    user_id bigint not null,
    address {text} not null,
    failures bigint not null,
    primary key (minute, user_id, address)
);
