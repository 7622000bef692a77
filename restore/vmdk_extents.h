// SPDX-License-Identifier: GPL-3.0-or-later
/* vmdk_extents: which files the descriptor of a VMDK image names (VMware, Virtual Disk Format 5.0,
 * "The Descriptor File"). */
#pragma once

#include "base/error.h"
#include "base/text.h"

enum { VMDK_EXTENTS_MAX = 4096, VMDK_DESCRIPTOR_MAX = 1 << 20 };

/*
 * Adds each name once. Only names of files in the image's own directory are accepted, and no
 * parent: an image that holds the changes against another one is refused.
 */
int vmdk_extents(const char *descriptor, struct strings *names, struct error *err);
