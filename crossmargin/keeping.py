"""Who keeps a scenario's accounts in order, and what holds each up, read from its ``keepers``."""

from __future__ import annotations

from collections.abc import Mapping

from crossmargin.faults import Fault, Faults
from crossmargin.quantities import write_time
from crossmargin.scenario_file import ScenarioModel
from crossmargin.scenario_records import KeeperSpec


def build_keepers(model: ScenarioModel, start: int, faults: Faults) -> tuple[KeeperSpec, ...]:
    """The keepers in the order of the file; what is wrong with one is noted."""
    if not isinstance(model.keepers, Mapping):
        for index, name in enumerate(model.keepers):
            if name in model.keepers[:index]:
                faults.note(Fault(("keepers", index), f"the keeper `{name}` stands here a second time"))
        return tuple(map(KeeperSpec, model.keepers))
    keepers = []
    for name, keeper in model.keepers.items():
        if keeper.capacity == 0:
            remedy = "leave the keeper out, or say when it is down"
            faults.note(Fault(("keepers", name, "capacity"), f"the keeper `{name}` liquidates nothing", remedy))
        windows = [(window.begin.after(start), window.end.after(start)) for window in keeper.downtime]
        for index, (begin, end) in enumerate(windows):
            if end <= begin:
                loc = ("keepers", name, "downtime", index, "until")
                faults.note(Fault(loc, f"this is not after the downtime begins, at {write_time(begin)}"))
        keepers.append(KeeperSpec(name, keeper.latency, keeper.capacity, tuple(windows)))
    return tuple(keepers)
