"""What a started system must show, from its marker line and its serial console."""

import re

STABLE_ROOT = re.compile(r"^(UUID=|PARTUUID=|LABEL=|/dev/disk/by-(uuid|partuuid|label)/|/dev/mapper/)")
# What systemd and initramfs-tools print when they waited in vain.
TIMEOUTS = re.compile(r"Timed out waiting for device|Gave up waiting for|Dependency failed for")
# Printed by systemd after a job's fifth second, which a busy host takes for harmless jobs as well.
JOB = re.compile(r"A (?:start|stop) job is running for (?P<what>.*?) "
                 r"\((?:(?P<minutes>\d+)min )?(?P<seconds>\d+)s / ")
LONG_JOB_SECONDS = 25


def parse(marker):
    """The words of a marker line as a dictionary."""
    return dict(word.split("=", 1) for word in marker.split() if "=" in word)


def interfaces(facts):
    """(name, address, how, driver) of each address in the marker line."""
    return [tuple(item.split(":")) for item in facts.get("if", "").split(",") if item]


def booted(cell, facts):
    """Complaints about any started system, restored or not."""
    if facts.get("host") != cell.host:
        yield f"host name is {facts.get('host')}, not {cell.host}"
    if facts.get("failed") != "0":
        yield f"failed units: {facts.get('units')}"
    if not interfaces(facts):
        yield "no interface has an address"
    if facts.get("options", "ro").split(",")[0] != "rw":
        yield "root is not mounted read-write"


def restored(cell, facts, lines):
    """Complaints about a system that was restored onto the cell's machine."""
    yield from booted(cell, facts)
    if not STABLE_ROOT.match(facts.get("rootarg", "")):
        yield f"root is named {facts.get('rootarg')} on the kernel command line"
    found = interfaces(facts)
    driver = {"rtl8139": "8139cp"}.get(cell.hardware.nic, cell.hardware.nic)
    if not any(how == "dhcp" and used == driver for _, _, how, used in found):
        yield f"no DHCP address on the {driver} interface: {facts.get('if') or 'none'}"
    if not facts.get("swap"):
        yield "no swap space is in use"
    if facts.get("timeouts") != "0":
        yield f"{facts.get('timeouts')} waits for a device timed out"
    waits = [line for _, line in lines if _is_wait(line)]
    if waits:
        yield f"waited at boot: {waits[-1]}"
    if int(facts.get("rootsize", 0)) < _least_root_size(cell):
        yield f"root file system has {int(facts.get('rootsize', 0)) >> 20} MiB: it was not grown"
    if cell.hardware.firmware == "uefi":
        yield from _firmware_entry(cell, facts)


def _is_wait(line):
    """Whether a line of the console tells of a wait for a device that is gone."""
    job = JOB.search(line)
    if not job:
        return bool(TIMEOUTS.search(line))
    seconds = 60 * int(job["minutes"] or 0) + int(job["seconds"])
    return job["what"].startswith("/dev/") or seconds >= LONG_JOB_SECONDS


def _least_root_size(cell):
    # Everything but swap, /boot, ESP and what the file system needs for itself.
    return (cell.disk_size - (1 << 30)) * 9 // 10


def _firmware_entry(cell, facts):
    label, _, loader = facts.get("boot", "").partition(":")
    if label != cell.entry:
        yield f"firmware booted the entry {label!r} ({loader}), not {cell.entry!r}"
