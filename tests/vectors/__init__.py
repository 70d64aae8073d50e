"""Published figures of other venues against our functions, for the rules that we share.

``cases`` holds the figures with their sources, ``reading`` takes them, ``setting`` builds parameters and accounts as
the venue has them. Where nothing else is said, our answer equals the published one; where our rounding differs by
design, the test's docstring says why and the test says by how much. ``not_ours`` names the rules we do not have.
"""
