# pragma version 0.4.3
# @title CrossMargin: the one address of the protocol
# @notice Routes every call to the engine that implements it, by delegatecall over one storage tree. There is no
#         upgrade: a new version is a new deployment.
# @custom:kill The guardian stops opening; nothing else can be stopped.

from modules import storage
initializes: storage

from modules import roles
from modules import treasury
from modules import types
uses: (roles, treasury)

struct Route:
    selector: bytes4
    engine: address

MAX_RETURN: constant(uint256) = 8192

@deploy
def __init__(
    routes: DynArray[Route, 128],
    admin: address,
    guardian: address,
    oracle: address,
    tokens: DynArray[address, types.MAX_TOKENS],
):
    """
    @param routes Each selector of the protocol, once, with the engine that implements it
    @param tokens USDC first, then the collateral tokens by id
    """
    for route: Route in routes:
        assert route.engine.is_contract, "router/engine"
        assert roles.routes[route.selector] == empty(address), "router/duplicate"
        roles.routes[route.selector] = route.engine
    assert oracle.is_contract, "router/oracle"
    assert len(tokens) > 0, "router/token"
    for token: address in tokens:
        # Nor is it our own address, which has no code yet: a call to it would pass the self-only checks.
        assert token.is_contract, "router/token"
        treasury.token_addresses[treasury.token_count] = token
        treasury.token_count += 1
    roles.admin = admin
    roles.guardian = guardian
    roles.oracle = oracle


@external
@raw_return
def __default__() -> Bytes[MAX_RETURN + 1]:
    """
    @notice Run the engine of the called selector in this contract's storage.
    @dev Not nonreentrant: the engines lock, and a second lock here would refuse every call. Failures without data
         (arithmetic, bounds, the lock, an exhausted engine) get a code of their own.
    """
    engine: address = roles.routes[convert(slice(msg.data, 0, 4), bytes4)]
    assert engine != empty(address), "router/selector"
    success: bool = False
    response: Bytes[MAX_RETURN + 1] = b""
    success, response = raw_call(
        engine, msg.data, max_outsize=MAX_RETURN + 1, is_delegate_call=True, revert_on_failure=False
    )
    if not success:
        assert len(response) > 0, "sys/panic"
        raw_revert(response)
    assert len(response) <= MAX_RETURN, "sys/return-size"
    return response
