"""Runtime size of every contract, against the limit. ``python -m contracts_py.sizes`` fails above it."""

from __future__ import annotations

import sys

from contracts_py.compile import CODE_LIMIT, DEPLOYABLES, ORACLES, compile_all


def main() -> int:
    """Print the table; 1 if a contract is too large."""
    too_large = 0
    for artifact in compile_all(names=(*DEPLOYABLES, *ORACLES)).values():
        over = artifact.runtime_size > CODE_LIMIT
        too_large += over
        print(f"{artifact.name:<18} {artifact.runtime_size:>7,} of {CODE_LIMIT:,} bytes{'  TOO LARGE' if over else ''}")
    return 1 if too_large else 0


if __name__ == "__main__":
    sys.exit(main())
