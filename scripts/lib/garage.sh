# Garage for tests: an S3 server of another make, on loopback. Sourced, never run.

# start_garage: starts it, names its bucket in BINDERY_TEST_BLOBS, and says to every client of S3 where it
# is. Its buckets are no directories.
start_garage() {
  local s3 rpc admin key secret
  read -r s3 rpc admin <<<"$(free_ports 3)"
  key=GK$(openssl rand -hex 12) secret=$(openssl rand -hex 32)
  garage_directory=$(mktemp -d "${TMPDIR:-/tmp}/bindery-garage.XXXXXX")
  cat >"$garage_directory/garage.toml" <<EOT
metadata_dir = "$garage_directory/meta"
data_dir = "$garage_directory/data"
db_engine = "sqlite"
replication_factor = 1
rpc_bind_addr = "127.0.0.1:$rpc"
rpc_public_addr = "127.0.0.1:$rpc"
rpc_secret = "$(openssl rand -hex 32)"
[s3_api]
s3_region = "garage"
api_bind_addr = "127.0.0.1:$s3"
[admin]
api_bind_addr = "127.0.0.1:$admin"
EOT
  GARAGE_DEFAULT_ACCESS_KEY=$key GARAGE_DEFAULT_SECRET_KEY=$secret GARAGE_DEFAULT_BUCKET=tests \
    garage -c "$garage_directory/garage.toml" server --single-node --default-bucket \
    >"$garage_directory/log" 2>&1 &
  garage_pid=$!
  until curl -sf --noproxy '*' -o "$garage_directory/health" "http://127.0.0.1:$admin/health"; do
    kill -0 "$garage_pid" 2>/dev/null || fail "Garage did not start: $(cat "$garage_directory/log")"
  done
  export AWS_ENDPOINT_URL="http://127.0.0.1:$s3" AWS_ALLOW_HTTP=true AWS_REGION=garage
  export AWS_ACCESS_KEY_ID=$key AWS_SECRET_ACCESS_KEY=$secret
  export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
  export BINDERY_TEST_BLOBS=s3://tests
}

stop_garage() {
  [ -n "${garage_pid:-}" ] || return 0
  kill "$garage_pid" 2>/dev/null || true
  wait "$garage_pid" 2>/dev/null || true
  rm -rf "$garage_directory"
  garage_pid=''
  unset BINDERY_TEST_BLOBS
}
