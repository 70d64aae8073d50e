"""The on-chain twin in Vyper and its Python face: compile, deploy, chain, bindings, read-back."""
