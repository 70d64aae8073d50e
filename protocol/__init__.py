"""The rulebook as code: pure, integers in, integers out."""
