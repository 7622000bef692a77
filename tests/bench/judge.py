"""Holds the results against the requirements."""

import dataclasses

import cases

MIB = 1 << 20


@dataclasses.dataclass
class Verdict:
    case: str
    target: str
    required: str
    measured: str
    verdict: str        # "met", "met: …", "NOT MET", "NOT MET: …", "not there yet"
    value: float | None = None

    @property
    def is_met(self):
        return self.verdict.startswith("met")


class _Missing(Exception):
    """What is compared was not measured; the message says why."""


def judge(results):
    """A Verdict for each requirement and target that was measured."""
    verdicts = []
    for requirement in cases.REQUIREMENTS:
        if requirement.case == "*":
            verdicts += _judge(requirement, _Everything(results), results)
        for result in results:
            if result.case.name == requirement.case:
                verdicts += _judge(requirement, result, results)
    return verdicts


class _Everything:
    """All results as one."""

    def __init__(self, results):
        self.case = dataclasses.make_dataclass("All", ["name"])("all of v2p's")
        self.target, self.rows = "", {}
        for result in results:
            for name, row in result.rows.items():
                self.rows[f"{result.case.name}/{result.target}/{name}"] = row
        self.peers = {f"{result.case.name}/{result.target}/{program.name}" for result in results
                      for program in result.case.programs if program.is_peer}


def _judge(requirement, result, results):
    measure = _MEASURES[requirement.measure]
    try:
        value, who, bound = measure(requirement, result, results)
    except _Missing as why:
        return [Verdict(result.case.name, result.target, _required(requirement), "", str(why))]
    is_met = (value >= requirement.at_least if requirement.at_least is not None
              else value <= requirement.at_most)
    verdict = "met" if is_met else "NOT MET"
    if not is_met and bound:
        verdict = f"met: {bound}"
    measured = f"{value:.2f} ({who})" if who else f"{value:.2f}"
    return [Verdict(result.case.name, result.target, _required(requirement), measured, verdict,
                    value)]


def _required(requirement):
    sign, value = ("≥", requirement.at_least) if requirement.at_least is not None else (
        "≤", requirement.at_most)
    return f"{requirement.what.format(*requirement.names)} {sign} {value:g}"


def _row(result, name):
    row = result.rows[name]
    if row.is_not_there:
        raise _Missing("not there yet")
    if row.problem or not row.usages:
        raise _Missing(f"NOT MET: {name} failed")
    return row


def _times_best_peer(requirement, result, _):
    own = _row(result, requirement.names[0]).median("wall")
    peers = {program.name: result.rows[program.name] for program in result.case.programs
             if program.is_peer}
    walls = {name: row.median("wall") for name, row in peers.items() if not row.problem}
    if not walls:
        raise _Missing("NOT MET: no peer could be measured")
    best = min(walls, key=walls.get)
    # Where the target itself is the limit for everybody, no program can be that much faster.
    share = result.limit() / own
    is_bound = result.target == "file" and share >= cases.SHARE_OF_LIMIT
    bound = f"{share:.2f} of what this target takes" if is_bound else None
    return walls[best] / own, best, bound


def _share_of_limit(requirement, result, _):
    own = _row(result, requirement.names[0]).median("wall")
    return result.limit() / own, None, None


def _time_ratio(requirement, result, _):
    first, second = (_row(result, name).median("wall") for name in requirement.names)
    return first / second, None, None


def _peak_mib(_, result, __):
    peers = getattr(result, "peers", set())
    peaks = {name: row.median("rss") for name, row in result.rows.items()
             if row.usages and name not in peers}
    if not peaks:
        is_missing = any(row.is_not_there for row in result.rows.values())
        raise _Missing("not there yet" if is_missing else "NOT MET: nothing was measured")
    most = max(peaks, key=peaks.get)
    return peaks[most] / MIB, most, None


def _peak_growth_mib(requirement, result, results):
    for other in results:
        if other.case.name == requirement.names[0]:
            small = _peak_mib(requirement, other, results)[0]
            return _peak_mib(requirement, result, results)[0] - small, None, None
    raise _Missing(f"NOT MET: {requirement.names[0]} was not measured")


_MEASURES = {
    "times_best_peer": _times_best_peer,
    "share_of_limit": _share_of_limit,
    "time_ratio": _time_ratio,
    "peak_mib": _peak_mib,
    "peak_growth_mib": _peak_growth_mib,
}
