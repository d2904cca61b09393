# A private PostgreSQL server for tests, on a socket in a temporary directory. Sourced, never run.

# start_postgres [OPTIONS]: starts it, and names it in BINDERY_TEST_DATABASE. Tests that do not cut the
# power need no syncs; other options are for who measures.
start_postgres() {
  local programs options=${1--c fsync=off -c full_page_writes=off}
  programs=$(find /usr/lib/postgresql -name initdb -path '*/bin/*' | sort -V | tail -n 1)
  postgres_programs=${programs%/initdb}
  postgres_directory=$(mktemp -d "${TMPDIR:-/tmp}/bindery-postgres.XXXXXX")
  # The server refuses to run as root, so its own user must be able to come here.
  chmod 777 "$postgres_directory"
  as_postgres "$postgres_programs/initdb" -D "$postgres_directory/data" -A trust -U postgres -E UTF8 \
    --no-locale --no-sync >/dev/null
  as_postgres "$postgres_programs/pg_ctl" -D "$postgres_directory/data" -w -s \
    -l "$postgres_directory/log" -o "-c listen_addresses='' -k $postgres_directory $options \
    -c max_connections=300" start
  export BINDERY_TEST_DATABASE="host=$postgres_directory user=postgres"
}

stop_postgres() {
  [ -n "${postgres_directory:-}" ] || return 0
  as_postgres "$postgres_programs/pg_ctl" -D "$postgres_directory/data" -m immediate -s stop || true
  rm -rf "$postgres_directory"
  postgres_directory=''
  unset BINDERY_TEST_DATABASE
}

as_postgres() (
  cd /
  if [ "$(id -u)" = 0 ]; then
    exec setpriv --reuid=postgres --regid=postgres --clear-groups "$@"
  fi
  exec "$@"
)
