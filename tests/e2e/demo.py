"""What a person watches: one cell with everything shown, and a look around in a restored machine."""

import os
import subprocess
import sys

import golden
import scenarios


def echo(line):
    print(f"  | {line}", flush=True)


def describe(cell):
    hw = cell.hardware
    where = f"on {hw.chipset}, {hw.firmware}, {hw.disk} disk, {hw.nic}"
    if cell.kind == "medium":
        return f"the rescue medium ({cell.medium}) starts without a profile {where}"
    what = {"boot": "boots as it is", "restore": "is restored"}[cell.kind]
    return f"golden {cell.image.upper()} {what} {where}; ends with {cell.expect}"


def demo(qemu, cell):
    """Restores and boots one cell, and shows what came of it. Returns the exit status."""
    golden.build(qemu, cell.image)
    vm = golden.IMAGES[cell.image].hardware
    print(f"\nThe image comes from a virtual machine: {vm.chipset}, {vm.firmware}, {vm.disk} disk, "
          f"{vm.nic}.")
    print(f"Cell {cell.name}: {describe(cell)}. The machine's console follows.\n", flush=True)
    result = scenarios.run(qemu, cell, echo)
    print()
    for complaint in result.complaints:
        print(f"FAILED {complaint}")
    if result.marker:
        print("The restored system says:\n  " + "\n  ".join(result.marker.split()))
    _print_changes(result.report)
    _print_times(result)
    return 1 if result.complaints else 0


def _print_changes(report):
    if not report:
        return
    print("\nWhat was changed on it, and why:")
    for change in report.get("changes", []):
        print(f"  {change['step']:10} {change['file']}: {change['why']}")


def _print_times(result):
    print("\nTimes")
    rows = {"medium boots": result.times.get("medium")}
    rows.update(_report_times(result.report) or {"restore and adaptation":
                                                 result.times.get("restore")})
    rows["first boot"] = result.times.get("first boot")
    rows["total"] = sum(seconds for seconds in result.times.values())
    moved = _moved(result.report)
    for name, seconds in rows.items():
        if seconds is not None:
            print(f"  {name:32} {seconds:6.0f} s{moved.get(name, '')}")


def _report_times(report):
    """v2p's own timings: name -> seconds."""
    return {timing.get("name", "?"): timing.get("seconds", 0)
            for timing in (report or {}).get("timings", [])}


def _moved(report):
    """How much the timings that moved data moved, and how fast: name -> text."""
    rows = {}
    for timing in (report or {}).get("timings", []):
        if timing.get("bytes") and timing.get("seconds"):
            mib = timing["bytes"] / (1 << 20)
            rows[timing["name"]] = f"  {mib:6.0f} MiB  {mib / timing['seconds']:5.0f} MiB/s"
    return rows


def shell(qemu, cell):
    """Boots a cell's restored disk with its serial console on this terminal."""
    if cell.kind != "restore" or cell.expect != "marker":
        sys.exit(f"cell {cell.name} leaves no system to look around in")
    if not (scenarios.workplace(cell) / "target.raw").exists():
        result = scenarios.run(qemu, cell, echo)
        if result.complaints:
            print(f"note: {'; '.join(result.complaints)}")
    print(f"log in as root with the password {golden.PASSWORD}; Ctrl-A X ends the machine", flush=True)
    argv = qemu.argv("qemu-system-x86_64") + qemu.data + scenarios.restored_args(cell)
    return subprocess.run(argv + ["-serial", "mon:stdio", "-no-reboot"],
                          env=dict(os.environ, **qemu.env)).returncode
