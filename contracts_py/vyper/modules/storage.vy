# @title The one storage tree
# @notice The order of these lines sets every slot. Each engine and the router initialise this module and nothing
#         else that stores, so all of them see the same layout under delegatecall.

from modules import roles
from modules import parameters
from modules import accounts
from modules import markets
from modules import treasury
from modules import orders

initializes: roles
initializes: parameters
initializes: accounts
initializes: markets
initializes: treasury
initializes: orders
