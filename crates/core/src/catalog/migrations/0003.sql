-- What became of a write whose sender gave it a key: by it the same request, sent again because its answer
-- was lost, gets its outcome and takes no effect. `request` is a digest of what was asked for.
create table answered (
    user_id bigint not null,
    key {text} not null,
    request {bytes} not null,
    outcome {text} not null,
    at bigint not null,
    primary key (user_id, key)
);
create index answered_by_date on answered (at);
