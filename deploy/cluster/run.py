#!/usr/bin/env python3
"""Runs a whole Countersign cluster as processes of this machine: three NATS servers and two replicas of every service.

Needs nothing but Python and the two programs. Everything is kept in one directory, so that the next run goes on with it.
Ports are free ones, chosen anew at each start. Ctrl-C ends what was started, and nothing else.
"""

import argparse
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

SERVICES = ["enrollment", "challenge", "policy", "notification", "audit"]
# Below the range from which systems take ports for connections that go out, or one of those could be in the way.
PORTS = range(10_000, 32_000)
START_WITHIN = 60
STOP_WITHIN = 20


def reserve_ports(count):
    """Returns sockets that hold ports at which nobody listens, for as long as they are open.

    They do not listen themselves. Servers may, because they bind with SO_REUSEADDR, and so do these sockets once they have
    their ports; another run of this script binds without it, and is refused.
    """
    held = []
    while len(held) < count:
        holder = socket.socket()
        try:
            holder.bind(("127.0.0.1", random.choice(PORTS)))
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            held.append(holder)
        except OSError:
            holder.close()
    return held


class Cluster:
    """What was started, to be ended in the opposite order."""

    def __init__(self, arguments):
        self.program = arguments.program
        self.nats_server = arguments.nats_server
        self.replicas = arguments.replicas
        self.directory = arguments.directory
        self.children = []
        self.reserved = []
        self.spawning = False
        self.exit_code = None

    def told_to_end(self, number, _frame):
        """Ends the script, only not between the start of a child and the note of it, nor while it ends already."""
        if self.exit_code is None:
            self.exit_code = 0 if number == signal.SIGINT else 128 + number
            if not self.spawning:
                sys.exit(self.exit_code)

    def spawn(self, name, words, environment=None):
        log = open(self.directory / f"{name}.log", "ab")
        self.spawning = True
        child = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **(environment or {})},
            # An interrupt from the keyboard reaches only this script, which ends its children in order.
            start_new_session=True,
        )
        self.children.append((name, child))
        self.spawning = False
        log.close()
        if self.exit_code is not None:
            sys.exit(self.exit_code)

    def check(self):
        for name, child in self.children:
            if child.poll() is not None:
                log = (self.directory / f"{name}.log").read_text(errors="replace").splitlines()
                sys.exit("\n".join([f"{name} has ended:", *("  " + line for line in log[-5:])]))

    def reserve(self, count):
        held = reserve_ports(count)
        self.reserved += held
        return [holder.getsockname()[1] for holder in held]

    def start_nats(self):
        clients, routes = self.reserve(3), self.reserve(3)
        for number, (client, route) in enumerate(zip(clients, routes), 1):
            name = f"nats-{number}"
            store = self.directory / name
            store.mkdir(exist_ok=True)
            config = self.directory / f"{name}.conf"
            others = ", ".join(f'"nats://127.0.0.1:{port}"' for port in routes)
            config.write_text(
                f"server_name: {name}\n"
                f"listen: 127.0.0.1:{client}\n"
                "max_payload: 8MB\n"
                # What makes an answered append durable.
                f'jetstream {{ store_dir: "{store}", sync_interval: always, max_mem: 256MB, max_file: 8GB }}\n'
                f"cluster {{ name: countersign, listen: 127.0.0.1:{route}, routes: [{others}] }}\n"
            )
            self.spawn(name, [self.nats_server, "--config", config])
        return ",".join(f"nats://127.0.0.1:{port}" for port in clients)

    def start_services(self, nats):
        ports = self.reserve(len(SERVICES) * self.replicas)
        addresses = {
            service: [f"127.0.0.1:{ports.pop()}" for _ in range(self.replicas)] for service in SERVICES
        }
        peers = ",".join(
            f"{service}=http://{address}" for service, at in addresses.items() for address in at
        )
        settings = {
            "COUNTERSIGN_EVENT_LOG": "jetstream",
            "COUNTERSIGN_NATS": nats,
            "COUNTERSIGN_NATS_REPLICAS": "3",
            "COUNTERSIGN_DATA_DIR": str(self.directory / "data"),
            "COUNTERSIGN_PEERS": peers,
        }
        self.init(settings)
        for service, at in addresses.items():
            for number, address in enumerate(at, 1):
                words = [self.program, "serve", service, "--listen", address]
                self.spawn(f"{service}-{number}", words, settings)
        return addresses

    def init(self, settings):
        """Makes streams, keys and the first API key; the NATS servers may still be electing who leads."""
        began = time.monotonic()
        while True:
            done = subprocess.run(
                [self.program, "init"], env={**os.environ, **settings}, capture_output=True, text=True
            )
            if done.returncode == 0:
                print(done.stdout, end="")
                return
            self.check()
            if time.monotonic() - began > START_WITHIN:
                sys.exit(done.stderr)
            time.sleep(0.3)

    def wait_until_ready(self, addresses):
        began = time.monotonic()
        waiting = [address for at in addresses.values() for address in at]
        while waiting:
            self.check()
            key = self.directory / "data" / "first-key"
            status = subprocess.run(
                [self.program, "status", "--wait", "--server", f"http://{waiting[0]}", "--api-key-file", key],
                capture_output=True,
                text=True,
            )
            if status.returncode == 0:
                waiting.pop(0)
            elif time.monotonic() - began > START_WITHIN:
                sys.exit(status.stderr)
            else:
                time.sleep(0.1)

    def stop(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        for name, child in reversed(self.children):
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
        for name, child in reversed(self.children):
            try:
                child.wait(STOP_WITHIN)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True, type=Path, help="the program countersign")
    parser.add_argument("--nats-server", required=True, type=Path, help="the program nats-server")
    parser.add_argument("--directory", default=Path("data-cluster"), type=Path, help="where everything is kept")
    parser.add_argument("--replicas", default=2, type=int, help="of every service")
    parser.add_argument("--once", action="store_true", help="end after the demo")
    arguments = parser.parse_args()
    arguments.program = arguments.program.resolve()
    arguments.nats_server = arguments.nats_server.resolve()
    arguments.directory = arguments.directory.resolve()
    arguments.directory.mkdir(mode=0o700, exist_ok=True)
    cluster = Cluster(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, cluster.told_to_end)
    try:
        nats = cluster.start_nats()
        addresses = cluster.start_services(nats)
        cluster.wait_until_ready(addresses)
        for service, at in addresses.items():
            print(f"{service:>12}  " + "  ".join(f"http://{address}" for address in at))
        print(f"{'NATS':>12}  " + "  ".join(nats.split(",")))
        entry = f"http://{addresses['challenge'][0]}"
        key = arguments.directory / "data" / "first-key"
        print(f"\nAny of them takes every call and passes on what is not its own; the demo asks {entry}.\n", flush=True)
        demo = subprocess.run([arguments.program, "demo", "--server", entry, "--api-key-file", key])
        if demo.returncode or arguments.once:
            return demo.returncode
        print(f"\nThe cluster goes on; logs are in {arguments.directory}. Ctrl-C ends it.", flush=True)
        while True:
            cluster.check()
            time.sleep(1)
    finally:
        cluster.stop()


if __name__ == "__main__":
    sys.exit(main())
