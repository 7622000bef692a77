// SPDX-License-Identifier: GPL-3.0-or-later
/* The index of a driver pack: what is read can be written, and says the same then. */
#include <stdlib.h>
#include <string.h>

#include "adapt/modalias.h"
#include "adapt/pack_index.h"
#include "base/scope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void match_all(const struct pack_index *index)
{
	for (size_t i = 0; i < index->count; i++)
		for (size_t j = 0; j < index->entry[i].modaliases.count; j++)
			modalias_matches(index->entry[i].modaliases.item[j].first,
					 "pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_pack_index_ struct pack_index index = {0}, again = {0};
	_cleanup_text_ struct text in = {0}, out = {0}, last = {0};
	_cleanup_error_ struct error err = {0};

	text_add_bytes(&in, data, size);
	if (pack_index_parse("index", text_string(&in), in.length, &index, &err) < 0)
		return 0;
	match_all(&index);
	/* A long word can make a line too long to be written. */
	if (pack_index_write(&index, &out, &err) < 0)
		return 0;
	if (pack_index_parse("index", text_string(&out), out.length, &again, &err) < 0 ||
	    pack_index_write(&again, &last, &err) < 0 ||
	    strcmp(text_string(&out), text_string(&last)) != 0)
		abort();
	return 0;
}
