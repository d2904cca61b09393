# What the benchmark needs beside the project's tools: its peers, and what is measured. Sourced, never run.

inferno_version=0.12.8
export dufs_version=0.47.0 copyparty_version=1.20.26 garage_version tools

# Debian's package would start a server: its program alone is taken out of it.
ensure_nginx() {
  nginx=$(PATH="$PATH:/usr/sbin" command -v nginx || true)
  if [ -n "$nginx" ]; then return; fi
  nginx="$tools/nginx/usr/sbin/nginx"
  if [ -x "$nginx" ]; then return; fi
  command -v apt-get >/dev/null || fail "Please install nginx"
  (
    mkdir -p "$tools/nginx"
    cd "$tools/nginx"
    apt-get download -qq nginx 2>/dev/null || { as_root apt-get update -qq; apt-get download -qq nginx; }
    dpkg -x nginx_*.deb .
    rm nginx_*.deb
  )
}

ensure_copyparty() {
  local requirements="$tools/copyparty.txt"
  echo "copyparty==$copyparty_version" >"$requirements"
  ensure_venv "$requirements"
  copyparty="$venv/bin/copyparty"
}

# build_bench: the server, the program that fills stores, and the load generator.
build_bench() {
  cargo build --release --quiet --locked -p bindery
  cargo build --release --quiet --locked -p bindery-core --example seed
  cargo build --release --quiet --locked --manifest-path bench/load/Cargo.toml
}
