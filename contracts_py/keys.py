"""Keys and addresses that follow from a name, the same on every chain and in every run."""

from __future__ import annotations

from functools import cache


@cache
def private_key(name: str) -> bytes:
    """The private key of a named actor: for local chains only, since anyone can derive it."""
    from eth_utils import keccak  # heavy, and many read names without asking for an address

    return keccak(text=f"crossmargin:{name}")


@cache
def address_of_key(key: bytes) -> int:
    """The address that a private key signs for, as an integer."""
    from eth_keys import keys  # as above

    return int.from_bytes(keys.PrivateKey(key).public_key.to_canonical_address(), "big")


def address_of(name: str) -> int:
    """The address of a named actor, as an integer."""
    return address_of_key(private_key(name))


def to_hex(address: int) -> str:
    """An address as 0x text, lower case."""
    return f"0x{address:040x}"
