"""The machines on which images are tried. Data; how a row is run is in scenarios.py."""

import dataclasses

import golden
from machine import Hardware


@dataclasses.dataclass(frozen=True)
class Cell:
    """A row: what is done with which image on which machine, and how that must end."""
    name: str
    # boot: the image as it is; restore: medium, restore, boot from disk; medium: no profile, a shell
    kind: str
    image: str
    hardware: Hardware
    expect: str = "marker"  # boot: the event that must end it; restore: `marker` or `status N`
    host: str = "golden-a"
    medium: str = "kernel"  # restore: kernel (-kernel/-initrd), cdrom or usb (the ISO)
    disk_size: int = 5 << 30
    rule: str = "serial=V2PTARGET1"     # how the profile names the disk
    profile: str = ""       # lines that the profile has beside the usual ones
    # Where profile and image are: path (on the data medium) or url (on a web server).
    profile_by: str = "path"
    # QEMU's blkdebug rules for the target, to play a disk that fails.
    blkdebug: str = ""
    pack: str = ""          # packages (a pattern) of which a driver pack on the data medium is made
    says: str = ""          # a pattern that must be on the screen
    entry: str = ""         # the label that the firmware's boot entry must have


Q35_AHCI = Hardware("q35", "bios", "ahci", "e1000e", "52:54:00:00:d0:01", product="Cell 1")
PC_MEGASAS = Hardware("pc", "bios", "megasas", "rtl8139", "52:54:00:00:d0:02", product="Cell 2")
UEFI_NVME = Hardware("q35", "uefi", "nvme", "e1000e", "52:54:00:00:d0:03", product="Cell 3")

PC_MPTSAS = Hardware("pc", "bios", "mptsas", "e1000", "52:54:00:00:d0:04", product="SAS")
PC_LSI = Hardware("pc", "bios", "lsi", "e1000", "52:54:00:00:d0:05", product="Old SCSI")
Q35_USB = Hardware("q35", "bios", "usb", "e1000e", "52:54:00:00:d0:06", product="USB disk")
Q35_SD = Hardware("q35", "bios", "sd", "e1000e", "52:54:00:00:d0:07", product="SD card")
Q35_SECOND = Hardware("q35", "bios", "megasas-gen2", "e1000e", "52:54:00:00:d0:08",
                      product="Two controllers", first_disk="ahci")

# A sector 300 MiB into the disk that cannot be written: the restore has begun by then.
WRITE_ERRORS = """\
[inject-error]
event = "none"
iotype = "write"
errno = "5"
sector = "614400"
"""

CELLS = [
    Cell("golden-a", "boot", "a", golden.IMAGES["a"].hardware),
    Cell("golden-b", "boot", "b", golden.IMAGES["b"].hardware, host="golden-b"),
    Cell("disease", "boot", "a", Q35_AHCI, expect="initramfs shell"),
    Cell("1", "restore", "a", Q35_AHCI),
    Cell("2", "restore", "a", PC_MEGASAS, profile_by="url"),
    Cell("3", "restore", "b", UEFI_NVME, host="golden-b", entry="debian"),
    Cell("sas-dracut", "restore", "dracut", PC_MPTSAS),
    Cell("scsi-debian-11", "restore", "debian-11", PC_LSI),
    Cell("usb-debian-13", "restore", "debian-13", Q35_USB),
    Cell("sd", "restore", "a", Q35_SD, disk_size=8 << 30, rule="transport=mmc"),
    Cell("second", "restore", "a", Q35_SECOND),
    Cell("cloud", "restore", "cloud", Q35_AHCI, expect="status 1",
         says=r"will not boot because .*Debian's cloud kernel"),
    Cell("cloud-pack", "restore", "cloud", Q35_AHCI, pack="linux-image-6*-amd64_*.deb",
         profile="[Adapt]\ndriver-pack=../packs/kernel"),
    Cell("iso-bios", "medium", "a", Q35_AHCI, medium="cdrom", says=r"V2PTARGET1"),
    Cell("iso-uefi", "medium", "a", UEFI_NVME, medium="usb", says=r"Firmware +UEFI"),
    Cell("bad-disk", "restore", "a", Q35_AHCI, expect="status 3", blkdebug=WRITE_ERRORS,
         says=r"Input/output error"),
]


def find(name):
    for cell in CELLS:
        if cell.name == name:
            return cell
    raise KeyError(f"no cell {name}; there are: {' '.join(cell.name for cell in CELLS)}")
