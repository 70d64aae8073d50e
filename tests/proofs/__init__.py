"""Lemmas of the rulebook, proved with z3 on the model's own code, each with a negative control that fails.

``symbolic`` runs the code on all values at once, ``lemmas`` samples, proves and refutes, ``rows`` has brackets with
unknown numbers. A test states one lemma, with the ids of the rules and invariants it is about; its domain is that of
the protocol's widths and configuration. Broken code, a flipped rounding for example, is one kind of control; a claim
that is a wei too strong, or a domain that is too wide, the other.
"""
