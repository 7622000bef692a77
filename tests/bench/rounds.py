"""Runs the programs of a case in turn, several rounds; collects what each took."""

import contextlib
import dataclasses
import statistics

import data
import measure
import paths
import programs
import proof
import targets
import web

LOGS = paths.BUILD / "bench" / "logs"
CHANGED_SHARE = 0.05
BUSY_CPUS = 0.2         # others at work: more than this is told
LOADED = 0.7


@dataclasses.dataclass
class Row:
    """One program of a case: what its runs took, or why there are none."""
    usages: list = dataclasses.field(default_factory=list)
    problem: str | None = None
    is_not_there: bool = False
    is_proven: bool = False

    def median(self, field):
        return statistics.median(getattr(usage, field) for usage in self.usages)


@dataclasses.dataclass
class Result:
    """One case on one target."""
    case: object
    target: str
    bytes: int              # of data to be written
    image_bytes: int
    rows: dict = dataclasses.field(default_factory=dict)
    limits: list = dataclasses.field(default_factory=list)

    def limit(self):
        return statistics.median(self.limits) if self.limits else None


class Bench:
    def __init__(self, rounds):
        self._rounds = rounds
        self._load = measure.load_average()     # before this program makes its own
        self._busy = []                         # CPUs that others kept busy, for each round

    def warnings(self):
        told = []
        if self._load > LOADED:
            told.append(f"load average {self._load:.2f} at the start: others use this machine")
        disturbed = [busy for busy in self._busy if busy > BUSY_CPUS]
        if disturbed:
            told.append(f"in {len(disturbed)} of {len(self._busy)} rounds others kept up to "
                        f"{max(disturbed):.1f} CPUs busy: these figures prove nothing")
        return told

    def run(self, case, target):
        """The Result of a case on an open target."""
        raw, image = data.build(case.raw), data.build(case.image)
        size = data.used_bytes(raw) if case.written == "used" else data.data_bytes(raw)
        result = Result(case, target.name, size, image.stat().st_blocks * 512)
        result.rows = {program.name: Row() for program in case.programs}
        with contextlib.ExitStack() as stack:
            base = programs.Job(image, case.format, target,
                                data.build(case.bmap) if case.bmap else None)
            jobs = {name: base for name in result.rows}
            for name in case.over_http:
                url = stack.enter_context(web.serve(image))
                jobs[name] = dataclasses.replace(base, image=url)
            for number in range(1 if target.name == "sparse" else self._rounds):
                self._round(number, case, result, jobs, raw)
        return result

    def _round(self, number, case, result, jobs, raw):
        target = next(iter(jobs.values())).target
        _read(data.build(case.image))
        self._look_for_others(case, target, number)
        order = list(case.programs)
        if not case.is_in_order:
            turn = number % len(order)
            order = order[turn:] + order[:turn]
        for program in order:
            row = result.rows[program.name]
            if not row.problem:
                self._run_one(case, program, jobs[program.name], row, raw)
        if target.name != "sparse":
            target.make_ready()
            result.limits.append(programs.limit_seconds(target, result.bytes))

    def _look_for_others(self, case, target, number):
        """Load averages would count this program's last round, too."""
        self._busy.append(measure.others())
        if self._busy[-1] > BUSY_CPUS:
            print(f"bench: WARNING: {case.name} on {target.name}, round {number + 1}: others keep "
                  f"{self._busy[-1]:.1f} CPUs busy", flush=True)

    def _run_one(self, case, program, job, row, raw):
        is_first = not row.usages and not program.is_peer
        log = _log_of(case, job.target, program)
        try:
            with contextlib.ExitStack() as stack:
                if job.target.name == "sparse":
                    job.target.file.unlink(missing_ok=True)
                if is_first:
                    programs.check_v2p_reads(job)
                argv = program.command(job, stack)
                _prepare(case, program, job.target, raw, is_first)
                row.usages.append(measure.run(argv, log))
            if is_first and job.target.name != "sparse":
                proof.check(program.proof, raw, job.target)
                row.is_proven = True
        except programs.NotThere as why:
            row.problem, row.is_not_there = str(why), True
        except (RuntimeError, measure.Failed, proof.Wrong) as why:
            row.problem = str(why)
        seconds = f"{row.usages[-1].wall:.2f} s" if row.usages else ""
        print(f"bench: {case.name} on {job.target.name}: {program.name}: "
              f"{row.problem or seconds}", flush=True)


def _prepare(case, program, target, raw, is_first):
    if target.name == "sparse":
        return
    if is_first and program.name not in case.changed:
        target.scribble()
    if program.name in case.changed:
        target.change(data.changed_pieces(raw, CHANGED_SHARE))
    target.make_ready()


def _read(path):
    """Into the page cache, so that everybody finds it there."""
    with open(path, "rb", buffering=0) as file:
        buffer = bytearray(data.MIB)
        while file.readinto(buffer):
            pass


def _log_of(case, target, program):
    LOGS.mkdir(parents=True, exist_ok=True)
    name = "".join(letter if letter.isalnum() else "-" for letter in program.name)
    return LOGS / f"{case.name}-{target.name}-{name}.log"


@contextlib.contextmanager
def open_target(name):
    """The target of that name; for "sparse" each run makes its own file."""
    with {"ram": targets.ram, "file": targets.disk, "sparse": targets.sparse}[name]() as target:
        yield target
