# Azurite for tests: Azure's store of objects, emulated, on loopback. Sourced, never run.

# start_azurite: starts it, makes a container, names that in BINDERY_TEST_BLOBS, and says to every client of
# Azure where it is.
start_azurite() {
  local port
  port=$(free_ports 1)
  azurite_directory=$(mktemp -d "${TMPDIR:-/tmp}/bindery-azurite.XXXXXX")
  "$azurite" --blobHost 127.0.0.1 --blobPort "$port" --location "$azurite_directory" --silent \
    --skipApiVersionCheck --disableTelemetry >"$azurite_directory.log" 2>&1 &
  azurite_pid=$!
  until_listens Azurite "$port" "$azurite_pid" "$azurite_directory.log"
  export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
  export AZURE_STORAGE_USE_EMULATOR=true AZURITE_BLOB_STORAGE_URL="http://127.0.0.1:$port"
  make_container "$port" tests
  export BINDERY_TEST_BLOBS=az://tests
}

stop_azurite() {
  [ -n "${azurite_pid:-}" ] || return 0
  kill "$azurite_pid" 2>/dev/null || true
  wait "$azurite_pid" 2>/dev/null || true
  rm -rf "$azurite_directory" "$azurite_directory.log"
  azurite_pid=''
  unset BINDERY_TEST_BLOBS
}

# make_container PORT NAME: as its account, whose name and key are the same everywhere and in its manual.
make_container() {
  python3 - "$@" <<'EOT'
import base64, email.utils, hashlib, hmac, sys, urllib.request

port, name = sys.argv[1:]
account = "devstoreaccount1"
key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
date, version = email.utils.formatdate(usegmt=True), "2021-08-06"
resource = f"/{account}/{account}/{name}\nrestype:container"
said = "PUT" + "\n" * 12 + f"x-ms-date:{date}\nx-ms-version:{version}\n{resource}"
digest = hmac.new(base64.b64decode(key), said.encode(), hashlib.sha256).digest()
headers = {
    "x-ms-date": date,
    "x-ms-version": version,
    "Authorization": f"SharedKey {account}:{base64.b64encode(digest).decode()}",
}
url = f"http://127.0.0.1:{port}/{account}/{name}?restype=container"
urllib.request.urlopen(urllib.request.Request(url, method="PUT", headers=headers)).close()
EOT
}
