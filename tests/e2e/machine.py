"""One emulated machine: what it is made of, its serial console, and how its boot ended.

A machine is waited for by what it prints, never by a time: it is given up after minutes without a
byte on the serial line, because the same boot takes twice as long on a busy host.
"""

import dataclasses
import json
import os
import re
import select
import socket
import subprocess
import tempfile
import time

import qemu as qemu_supply

# How a run can end or go on, as text on the serial console. The first that matches a line counts.
EVENTS = [
    ("marker", r"V2P-MARKER (?P<text>.*)$"),
    ("golden", r"V2P-GOLDEN status (?P<text>\d+)$"),
    ("ready", r"v2p-rescue: ready"),
    ("finished", r"v2p-rescue: restore finished, status (?P<text>\d+)"),
    ("panic", r"Kernel panic - not syncing"),
    ("emergency", r"You are in emergency mode"),
    ("no bootable option", r"BdsDxe: No bootable option"),
    ("refused by Secure Boot", r"Access Denied|Security Violation"),
]
# Prompts: no line end follows them, so they are looked for in what the last line holds so far.
PROMPTS = [
    ("initramfs shell", r"^\(initramfs\) ?$"),
    ("dracut shell", r"^dracut:/# ?$"),
    ("grub rescue shell", r"^grub rescue> ?$"),
    ("grub shell", r"^grub> ?$"),
    ("UEFI shell", r"^Shell> ?$"),
    ("rescue shell", r"^(root@)?v2p-rescue:~# ?$"),
]
ESCAPES = re.compile(rb"\x1b(\[[0-9;?=]*[A-Za-z]|[()][0-9A-B]|[=>78cM])")
SILENCE_SECONDS = 480
CEILING_SECONDS = 2400  # a machine that talks for ever (a reboot loop) ends here

DISKS = {
    "virtio": [["virtio-blk-pci", "{bus}"]],
    "ahci": [["ide-hd", "bus=ide.0"]],
    "piix": [["ide-hd", "bus=ide.0"]],
    "nvme": [["nvme"]],
    "megasas": [["megasas", "id=hba"], ["scsi-hd", "bus=hba.0"]],
    "megasas-gen2": [["megasas-gen2", "id=hba"], ["scsi-hd", "bus=hba.0"]],
    "mptsas": [["mptsas1068", "id=hba"], ["scsi-hd", "bus=hba.0", "wwn=0x5000c50076320001"]],
    "lsi": [["lsi53c895a", "id=hba"], ["scsi-hd", "bus=hba.0"]],
    "usb": [["usb-storage", "bus=usb.0"]],
    "sd": [["sdhci-pci"], ["sd-card"]],
}
NO_SERIAL = ("sd-card",)


@dataclasses.dataclass(frozen=True)
class Hardware:
    """What a machine is made of, in the words of the cells' table."""
    chipset: str            # pc, q35
    firmware: str           # bios, uefi
    disk: str               # a key of DISKS
    nic: str                # a QEMU network device
    mac: str = "52:54:00:00:d0:01"
    nic_slot: str = ""      # further properties that fix the NIC's place, and so its name
    disk_slot: str = ""
    product: str = "Restore Target"
    first_disk: str = ""    # one more disk, empty, on a controller before the target's: a key of DISKS
    guest_agent: bool = False


@dataclasses.dataclass
class Event:
    """Something the machine showed: an EVENTS or PROMPTS name, `exit`, `silence` or `ceiling`."""
    kind: str
    text: str = ""
    seconds: float = 0.0    # since the machine was started


def _disk_args(hw, backend, serial):
    args = []
    if hw.first_disk:
        args += ["-blockdev", "driver=null-co,node-name=first,size=1073741824,read-zeroes=on"]
        args += _devices(hw.first_disk, "first", "V2POTHER1")
    args += ["-drive", f"if=none,id=target,cache=unsafe,{backend}"]
    return args + _devices(hw.disk, "target", serial, hw.disk_slot,
                           "bootindex=1" if hw.first_disk else "")


def _devices(kind, drive, serial, slot="", more=""):
    """A controller, if the kind has one, and the disk on it."""
    devices = [list(device) for device in DISKS[kind]]
    devices[-1].append(f"drive={drive}")
    if devices[-1][0] not in NO_SERIAL:
        devices[-1].append(f"serial={serial}")
    if more:
        devices[-1].append(more)
    args = []
    for device in devices:
        args += ["-device", ",".join(part for part in device if part != "{bus}")
                 + (f",{slot}" if "{bus}" in device and slot else "")]
    return args


def _firmware_args(hw, variables):
    if hw.firmware == "bios":
        return []
    return ["-drive", f"if=pflash,format=raw,readonly=on,file={qemu_supply.OVMF_CODE}",
            "-drive", f"if=pflash,format=raw,file={variables}"]


def hardware_args(hw, backend, variables=None, serial="V2PTARGET1", memory=1024):
    """QEMU's arguments for `hw` with the -drive properties `backend` behind its disk."""
    args = ["-M", hw.chipset, "-accel", "tcg,thread=multi,tb-size=512", "-cpu", "qemu64",
            "-smp", "2", "-m", str(memory), "-nodefaults", "-no-user-config", "-rtc", "base=utc",
            "-display", "none", "-vga", "std",
            "-smbios", f"type=1,manufacturer=QEMU,product={hw.product},serial=V2P0001"]
    if hw.nic_slot.startswith("bus=") or hw.disk_slot.startswith("bus="):
        args += ["-device", "pcie-root-port,id=port1,chassis=1",
                 "-device", "pcie-root-port,id=port2,chassis=2"]
    args += ["-device", "qemu-xhci,id=usb,addr=0x1d"]
    args += _firmware_args(hw, variables)
    args += _disk_args(hw, backend, serial)
    slot = f",{hw.nic_slot}" if hw.nic_slot else ""
    args += ["-netdev", "user,id=net0",
             "-device", f"{hw.nic},netdev=net0,mac={hw.mac},romfile={slot}"]
    if hw.guest_agent:
        args += ["-device", "virtio-serial-pci", "-chardev", "null,id=qga",
                 "-device", "virtserialport,chardev=qga,name=org.qemu.guest_agent.0"]
    return args


class Machine:
    """A running QEMU. Use as a context manager: leaving it ends QEMU."""

    def __init__(self, qemu, args, log, echo=None):
        """`log` keeps the serial console, each line with its second; `echo` is called per line."""
        self._qemu, self._args, self._log_path, self._echo = qemu, args, log, echo
        self._partial = b""
        self._pending = []  # events that came together with one that ended a wait
        self.lines = []     # (seconds, text)

    def __enter__(self):
        self._log_path.parent.mkdir(parents=True, exist_ok=True)
        self._log = open(self._log_path, "w", encoding="utf-8")
        self._run = tempfile.TemporaryDirectory(prefix="v2p-e2e-")
        self._qmp_path = f"{self._run.name}/qmp"
        self._seabios = f"{self._run.name}/seabios"
        argv = self._qemu.argv("qemu-system-x86_64") + self._qemu.data + self._args + [
            "-serial", "stdio", "-qmp", f"unix:{self._qmp_path},server=on,wait=off",
            "-chardev", f"file,id=seabios,path={self._seabios}",
            "-device", "isa-debugcon,iobase=0x402,chardev=seabios", "-no-reboot"]
        self._log.write(" ".join(argv) + "\n")
        self._stderr = tempfile.TemporaryFile()
        self.started = self._heard = time.monotonic()
        self.process = subprocess.Popen(["nice", "-n", "5"] + argv, env=self._qemu.env,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self._stderr)
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()
        self.process.stdin.close()
        self._stderr.seek(0)
        self._log.write(self._stderr.read().decode(errors="replace"))
        self._stderr.close()
        self._log.close()
        self._run.cleanup()

    @property
    def seconds(self):
        return time.monotonic() - self.started

    def send(self, text):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def wait(self, *kinds):
        """Waits for one of the event kinds `kinds`; every way a run can end ends the wait as well."""
        while True:
            while not self._pending:
                self._pending = self._step()
            event = self._pending.pop(0)
            if event.kind in kinds or event.kind in ENDS:
                return event

    def _step(self):
        """Reads what came, and yields the events in it."""
        readable, _, _ = select.select([self.process.stdout], [], [], 2)
        data = os.read(self.process.stdout.fileno(), 65536) if readable else None
        if data == b"":
            self.process.wait()
            self._take(b"\n")
            return [self._event("exit", self._exit_reason())]
        if data:
            self._heard = time.monotonic()
            return self._take(data)
        if time.monotonic() - self._heard > SILENCE_SECONDS:
            return [self._event("silence", f"nothing printed for {SILENCE_SECONDS} s after: "
                                f"{self.last_line()}")]
        if self.seconds > CEILING_SECONDS:
            return [self._event("ceiling", f"still running after {CEILING_SECONDS} s")]
        return self._firmware_gave_up()

    def _exit_reason(self):
        if self.process.returncode == 0:
            return "the machine switched itself off or rebooted"
        self._stderr.seek(0)
        last = self._stderr.read().decode(errors="replace").strip().splitlines()[-1:]
        return f"QEMU ended with status {self.process.returncode}: {' '.join(last)}"

    def _firmware_gave_up(self):
        # SeaBIOS says so on the screen and its debug port, not on the serial line.
        try:
            with open(self._seabios, "rb") as file:
                said = b"No bootable device" in file.read()
        except FileNotFoundError:
            said = False
        return [self._event("no bootable device")] if said else []

    def _event(self, kind, text=""):
        return Event(kind, text, self.seconds)

    def _take(self, data):
        events = []
        self._partial += data
        *complete, self._partial = re.split(rb"[\r\n]+", self._partial)
        for raw in complete:
            line = _clean(raw)
            if not line:
                continue
            self.lines.append((self.seconds, line))
            self._log.write(f"[{self.seconds:7.1f}] {line}\n")
            self._log.flush()
            if self._echo:
                self._echo(line)
            events += self._match(line, EVENTS + PROMPTS)
        return events + self._match(_clean(self._partial), PROMPTS)

    def _match(self, line, table):
        for kind, pattern in table:
            found = re.search(pattern, line)
            if found:
                return [self._event(kind, found.groupdict().get("text") or line)]
        return []

    def last_line(self):
        return _clean(self._partial) or (self.lines[-1][1] if self.lines else "nothing at all")

    def qmp(self, command, **arguments):
        """One QMP command on a connection of its own."""
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(30)
            link.connect(self._qmp_path)
            stream = link.makefile("rw")
            stream.readline()
            for request in ({"execute": "qmp_capabilities"},
                            {"execute": command, "arguments": arguments}):
                stream.write(json.dumps(request) + "\n")
                stream.flush()
                answer = json.loads(stream.readline())
                while "event" in answer:
                    answer = json.loads(stream.readline())
            return answer

    def screenshot(self, path):
        """A picture of the screen as PNG. Best effort: it must not hide the failure it illustrates."""
        try:
            self.qmp("screendump", filename=str(path), format="png")
        except (OSError, ValueError):
            pass


ENDS = {"exit", "silence", "ceiling", "marker", "golden", "panic", "emergency", "no bootable option",
        "no bootable device", "refused by Secure Boot"} | {kind for kind, _ in PROMPTS}


def _clean(raw):
    text = ESCAPES.sub(b"", raw).decode("utf-8", errors="replace")
    return "".join(char for char in text if char.isprintable() or char == "\t").strip("\x00 ")
