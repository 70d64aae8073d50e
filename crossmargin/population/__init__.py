"""Populations: many accounts of a scenario at once, drawn from a seed, and the steps that they take.

``file`` is how a scenario writes one and ``profile`` the tables it draws from; ``members`` says who they are,
``reactions`` what each does about the prices of the tape, and ``expansion`` turns both into steps.
"""
