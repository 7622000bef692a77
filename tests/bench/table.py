"""Shows results: for people, and as one JSON document."""

import json
import os

import paths

MIB = 1 << 20
RESULTS = paths.BUILD / "bench" / "results.json"


def show(result):
    """What each program of a case took: medians."""
    print(f"\n{result.case.name} on {result.target}: {result.bytes / MIB:.0f} MiB of data "
          f"in an image of {result.image_bytes / MIB:.0f} MiB")
    print(f"  {'':28} {'wall s':>8} {'MiB/s':>7} {'CPU s':>7} {'RSS MiB':>8} {'of limit':>8}")
    for name, row in result.rows.items():
        if row.usages and not row.problem:
            _line(name, row.median("wall"), result, f"{row.median('cpu'):7.2f}",
                  f"{row.median('rss') / MIB:8.1f}")
        else:
            what = "not there yet" if row.is_not_there else "FAILED"
            print(f"  {name:28} {what}: {row.problem}")
    if result.limits:
        _line("limit (fio)", result.limit(), result, f"{'':7}", f"{'':8}")


def _line(name, wall, result, cpu, rss):
    share = f"{result.limit() / wall:8.2f}" if result.limits else ""
    print(f"  {name:28} {wall:8.2f} {result.bytes / MIB / wall:7.0f} {cpu} {rss} {share}")


def show_verdicts(verdicts):
    rows = [("case", "target", "required", "measured", "verdict")]
    rows += [(verdict.case, verdict.target, verdict.required, verdict.measured, verdict.verdict)
             for verdict in verdicts]
    widths = [max(map(len, column)) for column in zip(*rows)]
    print()
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def save(results, verdicts, warnings):
    document = {
        "machine": {"cpus": os.cpu_count(), "kernel": os.uname().release},
        "warnings": warnings,
        "results": [_document(result) for result in results],
        "requirements": [dict(vars(verdict), met=verdict.is_met) for verdict in verdicts],
    }
    RESULTS.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def _document(result):
    return {
        "case": result.case.name,
        "target": result.target,
        "data_bytes": result.bytes,
        "image_bytes": result.image_bytes,
        "limit_seconds": result.limits,
        "programs": {name: {
            "problem": row.problem,
            "content_proven": row.is_proven,
            "runs": [{"wall_seconds": usage.wall, "cpu_seconds": usage.cpu, "rss_bytes": usage.rss}
                     for usage in row.usages],
        } for name, row in result.rows.items()},
    }
