# Shared by scripts/test and .ci/run: where things are cached, and how what is missing gets
# installed. Sourced, never run. It knows nothing of what is tested.

# One cache for all clones on a machine. Everything in it can be deleted at any time.
cache="${XDG_CACHE_HOME:-$HOME/.cache}/bindery"
tools="$cache/tools"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$cache/target}"
export PATH="$tools/bin:$PATH"
mkdir -p "$tools/bin"

# A clean run gains nothing from incremental files, and they fill the cache.
if [ -n "${CI:-}" ]; then export CARGO_INCREMENTAL=0; fi

cargo_auditable_version=0.7.7
cargo_cyclonedx_version=0.5.9
cargo_deny_version=0.20.2
cargo_fuzz_version=0.13.2
azurite_version=3.35.0
garage_version=2.5.0
cargo_nextest_version=0.9.151
s3s_fs_version=0.14.1

# step NAME COMMAND...: runs the command under a heading and tells how long it took.
# Call it plainly, never in an `if` or before `||`: there bash would ignore `set -e` inside it.
step() {
  current_step=$1
  shift
  local began=$SECONDS
  printf '\n== %s\n' "$current_step"
  "$@" </dev/null
  printf '== %s: done in %ds\n' "$current_step" $((SECONDS - began))
}

# summary NAME STATUS: the closing line, for an EXIT trap.
summary() {
  if [ "$2" = 0 ]; then
    printf '\n%s: all passed in %ds\n' "$1" "$SECONDS"
  else
    printf '\n%s: FAILED at "%s" after %ds (exit %d)\n' "$1" "${current_step:-start}" "$SECONDS" "$2" >&2
  fi
}

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    fail "Not root, and there is no sudo. Run as root: $*"
  fi
}

apt_install() {
  command -v apt-get >/dev/null || fail "Please install what Debian calls: $*"
  if [ -z "${apt_updated:-}" ]; then
    as_root apt-get update -qq
    apt_updated=1
  fi
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
}

# The tests start a private PostgreSQL of their own, so only its binaries are wanted; Debian
# would also create a cluster and run it from now on.
ensure_postgres() {
  if compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; then return; fi
  local no_cluster=/etc/postgresql-common/createcluster.d/bindery-tests.conf
  as_root mkdir -p "${no_cluster%/*}"
  as_root sh -c "echo 'create_main_cluster = false' >$no_cluster"
  apt_install postgresql
  as_root rm -f "$no_cluster"
}

ensure_commands() {
  command -v cargo >/dev/null || fail "Please install Rust first: rust-toolchain.toml names the version."
  command -v cc >/dev/null || apt_install gcc libc6-dev
  command -v curl >/dev/null || apt_install curl ca-certificates
  command -v python3 >/dev/null || apt_install python3
}

# ensure_cargo_tool NAME VERSION [OPTION...]: builds it from source unless that version is in the
# cache; options are those of `cargo install`. Minutes matter more than the tool's own speed, so it
# is built with little optimisation.
ensure_cargo_tool() {
  local name=$1 version=$2
  shift 2
  if [ -x "$tools/bin/$name" ] && grep -q "^\"$name $version " "$tools/.crates.toml"; then return; fi
  echo "Building $name $version (once; a few minutes)"
  CARGO_TARGET_DIR="$tools/build" CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_DEBUG=0 \
    CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
    cargo install --quiet --locked --root "$tools" --version "$version" "$@" "$name"
  rm -rf "$tools/build"
}

# Any nextest will do: only what the project relies on in its output or rules is pinned.
ensure_nextest() {
  cargo nextest --version >/dev/null 2>&1 || ensure_cargo_tool cargo-nextest "$cargo_nextest_version"
}

# The S3 server of the tests: a real one, whose buckets are directories.
ensure_s3() {
  ensure_cargo_tool s3s-fs "$s3s_fs_version" --features binary
}

# Another S3 server, which stores what it is sent in its own way.
ensure_garage() {
  ensure_cargo_tool garage "$garage_version"
}

# What Microsoft gives out to test clients of Azure with.
ensure_azurite() {
  azurite="$tools/azurite-$azurite_version/node_modules/.bin/azurite-blob"
  if [ -x "$azurite" ]; then return; fi
  command -v npm >/dev/null || apt_install nodejs npm
  npm install --silent --no-audit --no-fund --prefix "$tools/azurite-$azurite_version" \
    "azurite@$azurite_version"
}

# free_ports COUNT: ports of loopback that nobody uses now.
free_ports() {
  python3 -c 'import socket, sys
sockets = [socket.socket() for _ in range(int(sys.argv[1]))]
for one in sockets: one.bind(("127.0.0.1", 0))
print(*(one.getsockname()[1] for one in sockets))' "$1"
}

# ensure_venv REQUIREMENTS: sets `venv` to an environment that holds exactly these.
ensure_venv() {
  python3 -c 'import ensurepip, venv' 2>/dev/null || apt_install python3-venv
  venv="$cache/venv-$( (python3 --version && cat "$1") | sha256sum | cut -c1-16)"
  if [ -e "$venv/complete" ]; then return; fi
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$1"
  touch "$venv/complete"
}

# until_listens NAME PORT PID LOG: waits until a server that was started takes connections.
until_listens() {
  until (exec 3<>"/dev/tcp/127.0.0.1/$2") 2>/dev/null; do
    kill -0 "$3" 2>/dev/null || fail "$1 did not start: $(cat "$4")"
  done
}
