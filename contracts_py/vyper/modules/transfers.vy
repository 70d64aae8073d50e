# @title Moving tokens
# @notice Twin of take_in and pay_out in protocol/vault.py; the calls to token contracts themselves have no twin.

from ethereum.ercs import IERC20

from modules import calc
from modules import records
from modules import treasury

uses: (records, treasury)


@internal
def take_in(token: uint256, units: uint256):
    """Record tokens received."""
    totals: uint256 = treasury.token_totals[token]
    records.put_token(token, calc.high(totals) + units, calc.low(totals))


@internal
def pay_out(token: uint256, units: uint256):
    """Record tokens paid, if the vault holds them (WDR-5)."""
    totals: uint256 = treasury.token_totals[token]
    assert calc.high(totals) >= units, "vault/insufficient-cash"
    records.put_token(token, calc.high(totals) - units, calc.low(totals))


@internal
def pull(token: uint256, units: uint256):
    """Take tokens from the sender; a token that delivers another amount is refused (DEP-3)."""
    contract: address = treasury.token_addresses[token]
    before: uint256 = staticcall IERC20(contract).balanceOf(self)
    self._call_token(
        contract,
        abi_encode(msg.sender, self, units, method_id=method_id("transferFrom(address,address,uint256)")),
    )
    assert staticcall IERC20(contract).balanceOf(self) == before + units, "token/amount-mismatch"


@internal
def push(token: uint256, units: uint256):
    """Send tokens to the sender."""
    self._call_token(
        treasury.token_addresses[token],
        abi_encode(msg.sender, units, method_id=method_id("transfer(address,uint256)")),
    )


@internal
def _call_token(contract: address, data: Bytes[100]):
    """Call a token; one that fails or answers false is refused, one that answers nothing is accepted."""
    success: bool = False
    response: Bytes[32] = b""
    success, response = raw_call(contract, data, max_outsize=32, revert_on_failure=False)
    assert success and (len(response) == 0 or convert(response, uint256) == 1), "token/transfer-failed"
