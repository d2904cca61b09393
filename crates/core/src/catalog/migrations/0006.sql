-- Since when a master key wraps no more, because another one took its place. One is not replaced.
alter table master_keys add column replaced bigint;

-- Backups that exist, as far as is known here, and the master keys that each of them needs, by their ids with a
-- space between. Until `hold` no object is removed that one which is being made may name; null: it is complete.
create table backups (
    id {text} primary key,
    at bigint not null,
    target {text} not null,
    master_keys {text} not null,
    hold bigint
);
create index backups_by_hold on backups (hold) where hold is not null;
