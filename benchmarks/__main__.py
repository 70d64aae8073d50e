"""``python -m benchmarks``: every measurement in turn. Compare figures of one run only; machines differ."""

from __future__ import annotations

from benchmarks import feed_forms, gas_items, record_forms, speed, state_forms

for module in (speed, state_forms, record_forms, feed_forms, gas_items):
    print(f"== python -m {module.__name__}", flush=True)
    module.main()
print("== gas: python -m benchmarks.gas writes specs/gas.json, --check compares it")
