# pragma version 0.4.3
# A token that misbehaves on command: it can keep a fee, fail with or without a reason, answer false, answer nothing, or call back.

balances: HashMap[address, uint256]
fee: uint256
fails: bool
fails_without_data: bool
answers_false: bool
target: address
payload: Bytes[1024]
callback_ran: public(bool)
callback_succeeded: public(bool)
callback_response: public(Bytes[256])


@external
def misbehave(fee: uint256, fails: bool, answers_false: bool):
    self.fee = fee
    self.fails = fails
    self.answers_false = answers_false


@external
def fail_without_data(fails: bool):
    self.fails_without_data = fails


@external
def call_back(target: address, payload: Bytes[1024]):
    self.target = target
    self.payload = payload
    self.callback_ran = False
    self.callback_succeeded = False
    self.callback_response = b""


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
    assert not self.fails, "hostile"
    if self.fails_without_data:
        raw_revert(b"")
    self.balances[owner] -= amount
    self.balances[receiver] += amount - self.fee
    if self.target != empty(address):
        success: bool = False
        response: Bytes[256] = b""
        success, response = raw_call(self.target, self.payload, max_outsize=256, revert_on_failure=False)
        self.callback_ran = True
        self.callback_succeeded = success
        self.callback_response = response
    return not self.answers_false
