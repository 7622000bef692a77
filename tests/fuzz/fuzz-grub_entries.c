// SPDX-License-Identifier: GPL-3.0-or-later
/* The first half of the input is a grub.cfg, the second one a grubenv. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "boot/boot_entries.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *config = strndup((const char *)data, size / 2);
	_cleanup_free_ char *environment = strndup((const char *)data + size / 2, size - size / 2);
	_cleanup_boot_entries_ struct boot_entries entries = {0};
	_cleanup_free_ char *chosen = NULL;

	if (!config || !environment)
		abort();
	grub_entries_parse(config, &entries);
	grub_entries_has_bls(config);
	chosen = grub_entries_default(config, environment);
	boot_entries_choose(&entries, chosen);
	return 0;
}
