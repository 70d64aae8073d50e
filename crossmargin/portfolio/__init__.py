"""``crossmargin margin``: one account's book measured, and what it could do next."""
