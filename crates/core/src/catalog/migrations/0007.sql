-- How many files a user may have, beside how many bytes.
alter table users add column quota_files bigint;
