// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * hardware_pci_text: what lspci printed, as people paste it. Lines may be indented, and what is
 * between them does not matter.
 */
#pragma once

#include "adapt/hardware.h"
#include "base/text.h"

struct pci_slot {
	unsigned int domain, bus, device, function;
};

/* A line that begins with a slot ("00:1f.2 ", "10000:e1:00.0 "); rest is what follows the space. */
bool pci_slot_parse(const char *line, struct pci_slot *slot, const char **rest);
char *pci_slot_format(const struct pci_slot *slot);

struct pci_bridge {
	struct pci_slot slot;
	unsigned int secondary; /* the bus behind it, greater than its own */
};

/* The output of lspci -x, -xxx or -xxxx, reduced to what libpci reads. */
struct pci_dump {
	struct text text; /* empty: there is no configuration space in it */
	struct pci_bridge *bridge;
	size_t bridge_count;
};

/*
 * libpci 3.9 writes outside its buffer when a line's offset is beyond 2 GiB, and gives up on long
 * lines: it is shown only slots and bytes that were checked here.
 */
int pci_dump_check(const struct text *text, struct pci_dump *out, struct error *err);
/* Names the bridge to each device's bus as its parent. */
void pci_dump_find_parents(const struct pci_dump *dump, struct hardware *hardware);
void pci_dump_release(struct pci_dump *dump);
#define _cleanup_pci_dump_ __attribute__((cleanup(pci_dump_release)))

/*
 * The output of lspci -nn or -n, with or without -k and -v. It does not tell the programming
 * interface unless -v was given, nor the subsystem without -k or -v: the interface is then taken to
 * be the one that is usual for the class and the name, the subsystem unknown.
 */
int pci_listing_read(const char *text, struct hardware *hardware, struct error *err);
