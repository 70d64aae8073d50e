"""``crossmargin compare``: where runs part, and what became of accounts and totals in each."""
