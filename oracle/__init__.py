"""From observations to one guarded price: pure."""
