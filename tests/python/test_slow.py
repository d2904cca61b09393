"""A thousand peers that trickle: everyone else is served, and a peer costs little. `scripts/measure-slow` measures."""

from harness import wait_until
from slow import PEERS, Peers, p99, prepare, resident_bytes

# 55 to 63 KiB were measured; what the allocator makes of it differs from run to run.
PEER_BYTES_MAX = 80 << 10


def test_a_thousand_slow_peers_harm_no_one(server):
    small, large = prepare(server.admin)
    p99(server.admin, small, 200)
    idle = resident_bytes(server.process)
    with Peers(server.url, server.token, large) as peers:
        wait_until(lambda: peers.answered(2) >= PEERS // 3, "those that read are answered")
        p99(server.admin, small, 200)
        assert server.admin.call("GET", "files/").json()["count"] == 2
        grown = resident_bytes(server.process) - idle
        assert grown < PEERS * PEER_BYTES_MAX, f"{grown / PEERS / 1024:.1f} KiB a peer"
        print(f"{grown / PEERS / 1024:.1f} KiB a peer")
    # They were no uploads, and whoever hung up left nothing.
    assert sorted(server.admin.names()) == ["large", "small"]
