"""Measures Bindery and its peers on the same work, in turns. Called by scripts/bench; writes results as JSON."""

import argparse
import json
import os
import pathlib
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import works


def size(text):
    shift = {"K": 10, "M": 20, "G": 30}.get(text[-1])
    return int(text[:-1]) << shift if shift else int(text)


def options():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    cores = ",".join(map(str, sorted(os.sched_getaffinity(0))))
    parser.add_argument("--works", help="some of: " + ", ".join(work.name for work in works.ALL))
    parser.add_argument("--who", help="some of: " + ", ".join(works.SERVERS + works.LIMITS))
    parser.add_argument("--places", default="tmpfs,disk")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4, help="of each measurement that has no fixed work")
    parser.add_argument("--files", type=int, default=1_000_000, help="of the large store")
    parser.add_argument("--changes", type=int, default=20_000, help="files that are renamed, moved and deleted")
    parser.add_argument("--big", type=size, default=10 << 30, help="the file that is copied")
    parser.add_argument("--transfer", type=size, default=1 << 30, help="each of 64 transfers at once")
    parser.add_argument("--cores", default=cores, help="of the servers, as taskset takes them")
    parser.add_argument("--client-cores", default=cores)
    parser.add_argument("--tmpfs", default="/dev/shm", type=pathlib.Path)
    parser.add_argument("--disk", default=tempfile.gettempdir(), type=pathlib.Path)
    parser.add_argument("--stores", type=pathlib.Path, help="keeps the seeded stores there, for another run")
    parser.add_argument("--results", type=pathlib.Path, required=True, help="adds to these results")
    parser.add_argument("--tools", type=json.loads, required=True, help=argparse.SUPPRESS)
    return parser.parse_args()


def output(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    return (done.stdout + done.stderr).strip()


def machine(chosen):
    def line(path, key):
        lines = pathlib.Path(path).read_text().splitlines()
        return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(key)), "unknown")

    tools = chosen.tools
    return {
        "processor": line("/proc/cpuinfo", "model name"),
        "cores": chosen.cores,
        "memory_gib": round(int(line("/proc/meminfo", "MemTotal").split()[0]) / 2**20),
        "kernel": output("uname", "-sr"),
        "disk": output("df", "--output=fstype", str(chosen.disk)).split()[-1],
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "versions": {
            "Bindery": output("git", "describe", "--always", "--dirty"),
            "rustc": output("rustc", "--version").split()[1],
            "nginx": output(tools["nginx"], "-v").split("/")[-1],
            "dufs": tools["dufs_version"],
            "copyparty": tools["copyparty_version"],
            "Garage": tools["garage_version"],
            "OpenSSL": output("openssl", "version").split()[1],
        },
    }


def command(arguments):
    """As it was called, without what names directories of this machine."""
    places = {"--tools", "--results", "--stores", "--tmpfs", "--disk"}
    told = [word for at, word in enumerate(arguments) if word not in places and arguments[at - 1] not in places]
    return " ".join(["scripts/bench", *told])


def shown(figures):
    return ", ".join(f"{name} {value:,.1f}" for name, value in figures.items())


def main():
    chosen = options()
    # So that all that was started ends, and its directories go.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    names = set(chosen.works.split(",")) if chosen.works else None
    who = set(chosen.who.split(",")) if chosen.who else None
    target = chosen.results
    results = json.loads(target.read_text()) if target.exists() else {"values": {}, "commands": []}
    results["machine"] = machine(chosen)
    # A run of all works leaves nothing of those before.
    results["commands"] = [*(results["commands"] if names else []), command(sys.argv[1:])]
    parents = {"tmpfs": chosen.tmpfs, "disk": chosen.disk}
    places = {
        place: pathlib.Path(tempfile.mkdtemp(prefix="bindery-bench-", dir=parents[place])) for place in works.BOTH
    }
    stores = {place: chosen.stores / place if chosen.stores else places[place] for place in places}
    run = works.Run(chosen, chosen.tools, places, stores)
    failed = 0
    measured = set()
    try:
        for work in works.ALL:
            if names and work.name not in names:
                continue
            for number in range(min(chosen.rounds, work.most_rounds)):
                for place in work.places:
                    if place not in chosen.places.split(","):
                        continue
                    for one in work.contestants:
                        if who and one in works.SERVERS + works.LIMITS and one not in who:
                            continue
                        if one in works.NOT_ON.get(place, ()):
                            continue
                        os.sync()
                        began = time.monotonic()
                        try:
                            figures = work.measure(run, one, place)
                        except Exception as error:
                            failed += 1
                            print(f"{work.name}, {place}, {one}: FAILED: {error!r}", file=sys.stderr, flush=True)
                            continue
                        took = time.monotonic() - began
                        print(f"{number + 1} {work.name}, {place}, {one}: {shown(figures)} ({took:.0f} s)", flush=True)
                        for figure, value in figures.items():
                            key = f"{figure}|{place}|{one}"
                            # What is measured anew replaces what was measured before.
                            if key not in measured:
                                results["values"][key] = []
                                measured.add(key)
                            results["values"][key].append(round(value, 3))
                        target.write_text(json.dumps(results, indent=1) + "\n")
    finally:
        for place in places.values():
            shutil.rmtree(place, ignore_errors=True)
    for key in sorted(measured):
        print(f"{key}: {statistics.median(results['values'][key]):,.2f}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
