"""Studies: a question put to many runs, and its answer as tables, pictures and sentences with numbers."""
