# pragma version 0.4.3
# A token whose transfers answer nothing, like some of the oldest ones.

balances: HashMap[address, uint256]


@external
def mint(owner: address, amount: uint256):
    self.balances[owner] += amount


@external
def approve(spender: address, amount: uint256):
    pass


@external
@view
def balanceOf(owner: address) -> uint256:
    return self.balances[owner]


@external
def transfer(receiver: address, amount: uint256):
    self.balances[msg.sender] -= amount
    self.balances[receiver] += amount


@external
def transferFrom(owner: address, receiver: address, amount: uint256):
    self.balances[owner] -= amount
    self.balances[receiver] += amount
