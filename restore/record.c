// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/record.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <xxhash.h>
#ifdef __x86_64__
#include <xxh_x86dispatch.h> /* the same function, by what this processor can: twice as fast */
#endif

#include "restore/window.h"

enum {
	RECORDS = (2 << 20) / sizeof(struct record),
	SPARE = 4096, /* for the windows that are under way, and zeroes that had to be written */
};

/* The offset is in it: the right bytes at a wrong place are wrong. */
static uint64_t checksum(uint64_t place, const uint8_t *data)
{
	uint64_t sum = place;
	struct stretch stretch;

	for (unsigned int at = 0; pieces_next((uint16_t)place, &at, &stretch);)
		sum = XXH3_64bits_withSeed(data + stretch.offset, stretch.length, sum);
	return sum;
}

int records_init(struct records *records, struct error *err)
{
	void *memory = mmap(NULL, RECORDS * sizeof(struct record), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		return error_sys(err, errno, "allocate memory for checksums");
	records->item = memory;
	return 0;
}

void records_release(struct records *records)
{
	if (records->item)
		munmap(records->item, RECORDS * sizeof(struct record));
	records->item = NULL;
}

void records_add(struct records *records, uint64_t offset, uint16_t pieces, const uint8_t *data)
{
	size_t index = atomic_fetch_add(&records->count, 1);
	uint64_t place = offset / WINDOW << WINDOW_PIECES | pieces;

	assert(index < RECORDS && pieces);
	records->item[index] = (struct record){place, checksum(place, data)};
}

bool records_are_full(const struct records *records)
{
	return atomic_load(&records->count) >= RECORDS - SPARE;
}

static int compare(const void *a, const void *b)
{
	uint64_t left = ((const struct record *)a)->place;
	uint64_t right = ((const struct record *)b)->place;

	return left < right ? -1 : left > right;
}

void records_sort(struct records *records)
{
	qsort(records->item, atomic_load(&records->count), sizeof(struct record), compare);
}

void records_clear(struct records *records)
{
	atomic_store(&records->count, 0);
}

uint64_t record_offset(const struct record *record)
{
	return (record->place >> WINDOW_PIECES) * WINDOW;
}

uint16_t record_pieces(const struct record *record)
{
	return (uint16_t)record->place;
}

size_t record_bytes(const struct record *record)
{
	return (size_t)__builtin_popcount(record_pieces(record)) * PIECE;
}

bool record_fits(const struct record *record, const uint8_t *data)
{
	return checksum(record->place, data) == record->checksum;
}
