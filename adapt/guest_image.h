// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * guest_image: the system inside an image, read where it lies: nothing is restored, unpacked, or
 * written. The image is shown to the kernel as files (restore/source_mount.h), and its file systems
 * are mounted from these, read-only; the journal of one that was not shut down is replayed in
 * memory. Logical volumes are found in LVM's
 * metadata, and not activated: neither the device mapper nor groups of the same name matter.
 */
#pragma once

#include "adapt/guest.h"
#include "restore/source.h"

/*
 * The system inside the image. source stays open until guest_close(); it is read from threads.
 * out->disk is a file of the calling thread's (new) mount namespace that holds what the disk would,
 * out->mount[].device loop devices. Refused, and said why: streams, and what holds no root that can
 * be read (encrypted, in a RAID, on volumes that are not linear). What cannot be read while the
 * guest is open is an error of guest_close(), too.
 */
int guest_open_image(struct source *source, struct guest *out, struct error *err);
