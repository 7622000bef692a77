// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * A disk without a table that holds a file system of any content. The first byte of an input says
 * which; then follow sectors that are not zero: their number (32 bits, little endian) and 512
 * bytes each. corpus/used/ was made so of what the tools' mkfs leave, see make-used-corpus.
 */
#include <assert.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "base/text.h"
#include "restore/used_blocks.h"

#define DISK (512ULL << 20)

enum { SECTOR = 512, RECORD = 4 + SECTOR, STEPS = 3000 };

static const char *const kinds[] = {"ext4", "xfs", "btrfs", "ntfs", "vfat", "swap", "LVM2_member"};

struct input {
	const uint8_t *records;
	size_t count;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int input_read(struct source *source, void *data, size_t length, uint64_t offset,
		      struct error *err)
{
	const struct input *input = source->state;

	(void)err;
	memset(data, 0, length);
	for (size_t i = 0; i < input->count; i++) {
		const uint8_t *record = input->records + i * RECORD;
		uint64_t start, from, to;
		uint32_t number;

		memcpy(&number, record, sizeof(number));
		start = (uint64_t)le32toh(number) * SECTOR;
		from = start > offset ? start : offset;
		to = start + SECTOR < offset + length ? start + SECTOR : offset + length;
		if (from < to)
			memcpy((uint8_t *)data + (from - offset), record + 4 + (from - start),
			       (size_t)(to - from));
	}
	return 0;
}

static void walk(struct used_blocks *used)
{
	uint64_t at = 0, length;

	for (int i = 0; i < STEPS && at < DISK; i++, at += length) {
		uint64_t asked = i % 2 ? 1 << 20 : DISK - at;

		length = asked;
		used_blocks_is_used(used, at, &length);
		if (length == 0 || length > asked)
			abort();
	}
	for (at = DISK - 1; at > 1 << 20; at -= 7 << 20) {
		length = 4096;
		used_blocks_is_used(used, at, &length);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct source_ops ops = {.name = "fuzz", .read = input_read};
	struct partition partition = {.length = DISK};
	struct layout layout = {.disk_size = DISK, .partition = &partition, .count = 1};
	struct used_blocks *used = NULL;
	_cleanup_free_ char *kind = NULL;
	struct input input;
	struct source source = {
		.ops = &ops, .size = DISK, .size_is_known = true, .granule = 4096, .state = &input};

	if (size < 1)
		return 0;
	input = (struct input){.records = data + 1, .count = (size - 1) / RECORD};
	kind = string_copy(kinds[data[0] % array_length(kinds)]);
	source.name = kind;
	partition.filesystem = kind;
	if (used_blocks_find(&source, &layout, &used, NULL) < 0)
		return 0;
	json_object_put(used_blocks_json(used));
	walk(used);
	used_blocks_free(used);
	return 0;
}
