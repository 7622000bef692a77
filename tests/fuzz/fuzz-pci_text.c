// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * What lspci printed, to the end: libpci finds just the devices that were handed to it. It may call
 * exit() where it was told not to, and the fuzzer says so.
 */
#include <stdlib.h>
#include <string.h>

#include "adapt/hardware.h"
#include "adapt/hardware_pci_text.h"
#include "tests/fuzz/memory-path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t count_lines(const char *text, const char *ending)
{
	size_t count = 0;

	for (const char *at = strstr(text, ending); at; at = strstr(at + 1, ending))
		count++;
	return count;
}

static size_t count_pci(const struct hardware *hardware)
{
	size_t count = 0;

	for (size_t i = 0; i < hardware->device_count; i++)
		count += strcmp(hardware->device[i].bus, "pci") == 0;
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *path = memory_path(data, size, &fd);
	_cleanup_text_ struct text text = {0};
	_cleanup_pci_dump_ struct pci_dump dump = {0};
	_cleanup_hardware_ struct hardware hardware = {0};

	if (!path)
		return 0;
	text_add_bytes(&text, data, size);
	if (pci_dump_check(&text, &dump, NULL) < 0) {
		if (hardware_read_pci_dump(path, &hardware, NULL) == 0)
			abort();
		return 0;
	}
	if (hardware_read_pci_dump(path, &hardware, NULL) < 0) {
		/* What was checked is refused by libpci never, and only for long chains by v2p. */
		if (dump.text.length && dump.bridge_count <= HARDWARE_DEPTH)
			abort();
		return 0;
	}
	if (dump.text.length &&
	    count_pci(&hardware) != count_lines(text_string(&dump.text), " device\n"))
		abort();
	return 0;
}
