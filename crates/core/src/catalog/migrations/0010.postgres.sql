alter table contents add column sealed bytea;
update contents set sealed = i.sealed from inline_contents i where i.content = contents.id;
drop table inline_contents;
