"""Where v2p's time goes in a case: perf's top functions."""

import contextlib

import data
import paths
import programs
import rounds
import system
import web

FUNCTIONS = 25
RECORDING = paths.BUILD / "bench" / "perf.data"


def show(case):
    program = next(program for program in case.programs if not program.is_peer)
    image = data.build(case.image)
    with contextlib.ExitStack() as stack:
        target = stack.enter_context(rounds.open_target(case.targets[0]))
        if case.over_http:
            image = stack.enter_context(web.serve(image))
        job = programs.Job(image, case.format, target)
        argv = program.command(job, stack)
        system.call("perf", "record", "-q", "-g", "-o", RECORDING, "--", *argv)
    told = system.call("perf", "report", "--stdio", "--no-children", "-g", "none", "-t", "\t", "-F",
                       "overhead,dso,symbol", "-i", RECORDING)
    for function, share in _shares(told)[:FUNCTIONS]:
        print(f"{share:6.2f} %  {function}")
    print(f"bench: all of it: perf report -i {RECORDING}")


def _shares(told):
    """(function, percent) pairs, the greatest first; a library without symbols counts as one."""
    shares = {}
    for line in told.splitlines():
        fields = [field.strip() for field in line.split("\t")]
        if len(fields) != 3 or line.startswith("#"):
            continue
        symbol = fields[2].split(" ", 1)[-1].strip()
        name = f"{fields[1]}: {'(no symbols)' if symbol.startswith('0x') else symbol}"
        shares[name] = shares.get(name, 0) + float(fields[0].rstrip("%"))
    return sorted(shares.items(), key=lambda pair: -pair[1])
