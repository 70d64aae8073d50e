# pragma version 0.4.3
# A token whose issuer turns on its holders: it moves less than it says, fails, or burns all the gas it is given.

balances: HashMap[address, uint256]
kept: uint256
fails: bool
burns: bool


@external
def set_mood(kept: uint256, fails: bool, burns: bool):
    self.kept = kept
    self.fails = fails
    self.burns = burns


@external
def mint(owner: address, amount: uint256):
    self.balances[owner] += amount


@external
def approve(spender: address, amount: uint256) -> bool:
    return True


@external
@view
def balanceOf(owner: address) -> uint256:
    return self.balances[owner]


@external
def transfer(receiver: address, amount: uint256) -> bool:
    return self._move(msg.sender, receiver, amount)


@external
def transferFrom(owner: address, receiver: address, amount: uint256) -> bool:
    return self._move(owner, receiver, amount)


@internal
def _move(owner: address, receiver: address, amount: uint256) -> bool:
    assert not self.fails, "moody"
    if self.burns:
        for i: uint256 in range(2**200):
            pass
    self.balances[owner] -= amount - self.kept
    self.balances[receiver] += amount - self.kept
    return True
