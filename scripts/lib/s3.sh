# A real S3 server for tests, on loopback, whose buckets are directories. Sourced, never run.

# start_s3: starts it, names its bucket in BINDERY_TEST_BLOBS and the directory of its buckets in
# BINDERY_TEST_BUCKETS, and says to every client of S3 where it is.
start_s3() {
  s3_directory=$(mktemp -d "${TMPDIR:-/tmp}/bindery-s3.XXXXXX")
  mkdir "$s3_directory/tests"
  s3_port=$(free_ports 1)
  s3s-fs --host 127.0.0.1 --port "$s3_port" --access-key AK --secret-key SK "$s3_directory" \
    >"$s3_directory.log" 2>&1 &
  s3_pid=$!
  until_listens "The S3 server" "$s3_port" "$s3_pid" "$s3_directory.log"
  export AWS_ENDPOINT_URL="http://127.0.0.1:$s3_port" AWS_ALLOW_HTTP=true AWS_REGION=us-east-1
  export AWS_ACCESS_KEY_ID=AK AWS_SECRET_ACCESS_KEY=SK
  export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
  export BINDERY_TEST_BLOBS=s3://tests BINDERY_TEST_BUCKETS="$s3_directory"
}

stop_s3() {
  [ -n "${s3_pid:-}" ] || return 0
  kill "$s3_pid" 2>/dev/null || true
  wait "$s3_pid" 2>/dev/null || true
  rm -rf "$s3_directory" "$s3_directory.log"
  s3_pid=''
  unset BINDERY_TEST_BLOBS BINDERY_TEST_BUCKETS
}
