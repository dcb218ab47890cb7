"""What comes before a measurement, and the measurement of clients, which several scripts take."""

import compileall
import sys
import time

import clients
import servers
import start

import unpuzzle_cli
import unpuzzle_sdk
import unpuzzle_server


def say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


def compile_ours() -> None:
    """As pip compiles what it installs, the peers among it; else ours may compile at every start, or not, as chance has it."""
    for package in (unpuzzle_server, unpuzzle_sdk, unpuzzle_cli):
        if not compileall.compile_dir(package.__path__[0], quiet=1):
            raise RuntimeError(f"{package.__name__} does not compile")


def of_clients(rounds: int) -> clients.Clients:
    with start.data_dir() as logs, servers.serving("answers", "peers.answers_server:create_app", {}, logs) as server:
        return clients.measure(server.port, rounds, say)
