# @title Storage of tokens, the protocol's own dollars and pool shares

from modules import types

token_count: uint256
token_addresses: address[types.MAX_TOKENS]
token_totals: uint256[types.MAX_TOKENS]  # held 128 | inventory 128

funds: uint256  # pool 128 | insurance 128
dues: uint256  # deficit 128 | trader_debt 128
share_supply: uint256
shares: HashMap[address, uint256]
share_owners: HashMap[uint256, address]  # in order of first purchase
share_owner_count: uint256
