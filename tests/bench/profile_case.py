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
    lines = system.call("perf", "report", "--stdio", "--no-children", "-g", "none", "-F",
                        "overhead,dso,symbol", "-i", RECORDING).splitlines()
    lines = [line.rstrip() for line in lines if line.strip() and not line.startswith("#")]
    print("\n".join(lines[:FUNCTIONS]))
    print(f"bench: all of it: perf report -i {RECORDING}")
