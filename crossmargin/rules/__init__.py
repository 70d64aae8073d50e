"""``crossmargin eval`` and ``crossmargin explain``: numbered rules, asked and told."""
