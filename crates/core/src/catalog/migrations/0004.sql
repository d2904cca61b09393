-- What a service calls an object that it is sent in parts, so that what was sent can be removed by whoever
-- finds the row.
alter table pending add column upload {text};
alter table doomed add column upload {text};

-- On a server: the last batch of writes that each process committed, by which a commit whose answer was lost
-- is settled, and when in seconds since the Unix epoch.
create table batches (
    mark {text} primary key,
    at bigint not null
);
