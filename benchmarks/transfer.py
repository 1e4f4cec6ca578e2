"""Compare the speed of a download with curl: the same loopback server, the same file, both to a file on disk.

    python benchmarks/transfer.py [--megabytes 1024] [--rounds 5]

curl only fetches. The clients fetch, check the length, hash (SHA-256) and count; ``curl, then sha256sum`` is what a
script has to do for the same. Needs curl; Linux and macOS.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from airflow_provider_apscores.webservice import (
    AsyncClient,
    Client,
    Credentials,
    FileOrder,
    GeneratedFile,
    Secret,
    Session,
)

WAYS = ("curl", "curl, then sha256sum", "Client", "AsyncClient")


def serve(listener: socket.socket, path: Path) -> None:
    """Serve a login that always succeeds, and one file, sent by the kernel."""
    size = path.stat().st_size
    login = json.dumps({"success": True, "authToken": "benchmark"}).encode()
    while True:
        connection, _ = listener.accept()
        with connection, path.open("rb") as file:
            while request := connection.recv(65536):
                while b"\r\n\r\n" not in request:
                    request += connection.recv(65536)
                if request.startswith(b"POST"):
                    head, _, body = request.partition(b"\r\n\r\n")
                    announced = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
                    while len(body) < int(announced.split(b":")[1]):
                        body += connection.recv(65536)
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(login) + login)
                else:
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
                    offset = 0
                    while offset < size:
                        offset += os.sendfile(connection.fileno(), file.fileno(), offset, size - offset)


def fetch(way: str, base_url: str, target: Path) -> tuple[float, float]:
    """Seconds, and the peak of resident memory in MB, of one transfer in a process of its own."""
    command = [sys.executable, __file__, "--fetch", way, "--from", base_url, "--to", str(target)]
    result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    target.unlink()
    return result["seconds"], result["memory"]


def fetch_here(way: str, base_url: str, target: Path) -> None:
    import resource

    who = resource.RUSAGE_SELF
    session = Session(Credentials("registrar@college.edu", "benchmark"), base_url=base_url)
    generated = GeneratedFile(FileOrder("4866"), "1", "scores.txt", Secret(f"{base_url}/scores.txt"))
    if way.startswith("curl"):
        who = resource.RUSAGE_CHILDREN
        started = time.perf_counter()
        subprocess.run(["curl", "-s", "-o", str(target), generated.url.reveal()], check=True)
        if "sha256sum" in way:
            subprocess.run(["sha256sum", str(target)], check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - started
    elif way == "Client":
        with Client(session) as client, target.open("wb") as sink:
            client.log_in()
            started = time.perf_counter()
            client.download(generated, sink)
            seconds = time.perf_counter() - started
    else:

        async def run() -> float:
            async with AsyncClient(session) as client:
                await client.log_in()
                with target.open("wb") as sink:
                    started = time.perf_counter()
                    await client.download(generated, sink)
                    return time.perf_counter() - started

        seconds = asyncio.run(run())
    memory = resource.getrusage(who).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    print(json.dumps({"seconds": seconds, "memory": memory}))


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--megabytes", type=int, default=1024)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--fetch", help=argparse.SUPPRESS)
    arguments.add_argument("--from", dest="base_url", help=argparse.SUPPRESS)
    arguments.add_argument("--to", type=Path, help=argparse.SUPPRESS)
    chosen = arguments.parse_args()
    if chosen.fetch:
        return fetch_here(chosen.fetch, chosen.base_url, chosen.to)

    ways = [way for way in WAYS if "sha256sum" not in way or shutil.which("sha256sum")]
    with tempfile.TemporaryDirectory() as folder:
        served = Path(folder, "served")
        with served.open("wb") as file:
            record = b"%-950d\n" % 7
            block = record * 1100
            for _ in range(max(1, chosen.megabytes * (1 << 20) // len(block))):
                file.write(block)
        listener = socket.create_server(("127.0.0.1", 0))
        server = multiprocessing.get_context("fork").Process(target=serve, args=(listener, served), daemon=True)
        server.start()
        base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        taken: dict[str, list[float]] = {way: [] for way in ways}
        memory: dict[str, float] = {}
        for _ in range(chosen.rounds):  # in turn, so that other load on the machine affects all ways alike
            for way in ways:
                seconds, memory[way] = fetch(way, base_url, Path(folder, "fetched"))
                taken[way].append(seconds)
        size = served.stat().st_size / 1e6
        server.terminate()
    print(f"{size:.0f} MB over loopback to a file, median of {chosen.rounds}, {os.cpu_count()} cores\n")
    print("| way | seconds | MB/s | of curl | peak memory |\n|---|---|---|---|---|")
    curl = statistics.median(taken["curl"])
    for way in ways:
        median = statistics.median(taken[way])
        print(f"| {way} | {median:.2f} | {size / median:.0f} | {curl / median:.2f} | {memory[way]:.0f} MB |")


if __name__ == "__main__":
    main()
