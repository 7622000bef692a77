// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * An OVA of any content. The first byte says how it is read: its lowest bit 0 as a file, 1 as a
 * stream; where the second bit is set, the checksums of the tar headers are made good, without
 * which nearly every change would end there.
 */
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "tests/fuzz/read-some.h"
#include "tests/ova-image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void mend_checksums(struct text *ova)
{
	for (size_t at = 0; at + 512 <= ova->length; at += 512)
		if (memcmp(ova->data + at + 257, "ustar", 5) == 0)
			ova_sum(ova, at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_source_ struct source *source = NULL;
	_cleanup_text_ struct text ova = {0};
	struct stream_file stream;
	int r;

	if (size < 2)
		return 0;
	text_add_bytes(&ova, data + 1, size - 1);
	if (data[0] & 2)
		mend_checksums(&ova);
	source_ova_ops.probe((const uint8_t *)ova.data, ova.length < 4096 ? ova.length : 4096);
	r = data[0] & 1 ? ova_open_stream(&ova, &stream, &source, NULL)
			: ova_open_file(&ova, &source, NULL);
	if (r == 0)
		fuzz_read_some(source);
	return 0;
}
