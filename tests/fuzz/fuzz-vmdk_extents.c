// SPDX-License-Identifier: GPL-3.0-or-later
/* A VMDK descriptor: whatever it says, the names that come out stay in their directory. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "restore/vmdk_extents.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_strings_ struct strings names = {0};
	_cleanup_text_ struct text text = {0};

	text_add_bytes(&text, data, size);
	if (vmdk_extents(text_string(&text), &names, NULL) < 0)
		return 0;
	for (size_t i = 0; i < names.count; i++) {
		if (strpbrk(names.item[i], "/:\n") || strcmp(names.item[i], "..") == 0)
			abort();
		if (i > 0 && strcmp(names.item[i - 1], names.item[i]) >= 0)
			abort();
	}
	return 0;
}
