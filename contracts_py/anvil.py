"""A fresh anvil for one run, where the program is installed: on the path, or by ``make test`` in the environment."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contracts_py.addresses import CHAIN_ID
from contracts_py.errors import NodeUnusable

INSTALLED = Path(sys.prefix) / "anvil" / "node_modules" / ".bin" / "anvil"
POLL = 0.05  # seconds between two looks whether it listens


def find_anvil() -> str | None:
    """The program, if there is one."""
    return shutil.which("anvil") or (str(INSTALLED) if INSTALLED.exists() else None)


@contextmanager
def run_anvil(genesis: int) -> Iterator[str]:
    """The URL of a chain whose genesis is at a time; it ends with the block. Raises ``NodeUnusable``."""
    program = find_anvil()
    if program is None:
        raise NodeUnusable("anvil was not found; install it and put it on the path, or choose another backend")
    port = find_free_port()
    command = [program, "--silent", "--port", str(port), "--timestamp", str(genesis), "--hardfork", "prague"]
    command += ["--chain-id", str(CHAIN_ID)]
    # Its own group: what npm installs is a script that starts the real program.
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        while not listens(port):
            if process.poll() is not None:
                raise NodeUnusable("anvil ended before it listened")
            time.sleep(POLL)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def find_free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def listens(port: int) -> bool:
    """Whether somebody answers at a port of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
