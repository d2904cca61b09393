# What the benchmark needs beside the project's tools: its peers, and what is measured. Sourced, never run.

inferno_version=0.12.8
peers="$tools/peers"
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

# ensure_peer NAME VERSION: built as its makers mean it to be, where ensure_cargo_tool saves minutes at the cost of
# what is measured here.
ensure_peer() {
  local name=$1 version=$2
  if [ -x "$peers/bin/$name" ] && grep -q "^\"$name $version " "$peers/.crates.toml"; then return; fi
  echo "Building $name $version (once; Garage takes half an hour on two cores)"
  CARGO_TARGET_DIR="$peers/build" cargo install --quiet --locked --root "$peers" --version "$version" "$name"
  rm -rf "$peers/build"
}

# build_bench: the server, the program that fills stores, a limit, and the load generator.
build_bench() {
  cargo build --release --quiet --locked -p bindery
  cargo build --release --quiet --locked -p bindery-core --example seed --example bare
  cargo build --release --quiet --locked --manifest-path bench/load/Cargo.toml
}
