# @title Storage of tokens, the protocol's own dollars and pool shares

from modules import types

KNOWN: constant(uint256) = 2**255  # the owner is in the list of share owners

token_count: uint256
token_addresses: address[types.MAX_TOKENS]
token_totals: uint256[types.MAX_TOKENS]  # held 128 | inventory 128

funds: uint256  # pool 128 | insurance 128
dues: uint256  # deficit 128 | trader_debt 128
pool_word: uint256  # shares 128 | reserved 128
stakes: HashMap[address, uint256]  # shares 128 | requested 128
claimable: HashMap[address, uint256]  # known 1 | unused 215 | time from which requested shares can be claimed 40
share_owners: HashMap[uint256, address]  # in order of first purchase
share_owner_count: uint256
