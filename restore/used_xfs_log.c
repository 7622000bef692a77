// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/used_bytes.h"
#include "restore/used_xfs.h"

enum {
	BLOCK = 512, /* the log counts in these */
	RECORD_MAGIC = (int)0xfeedbabe,
	/* Up to 8 buffers of 256 KiB are on their way to the disk at once, in any order: so far
	 * around the head the cycles are looked at. */
	IN_FLIGHT = 4096,
	RECORD_MOST = 520,        /* blocks: 256 KiB and its headers */
	HEADER_COVERS = 32 << 10, /* bytes of a record that one header block describes */
	CLIENT_LOG = 0xaa,
	UNMOUNT = 0x20,
};

struct log {
	const struct used_xfs *xfs;
	uint64_t blocks;
};

static int unclean(struct error *err)
{
	return used_decline(err, "its log was not replayed: it was not unmounted cleanly");
}

/* Every block of the log begins with the number of the round that wrote it; the head of a record
 * has its magic before that. */
static int read_cycle(const struct log *log, uint64_t block, uint32_t *out, struct error *err)
{
	uint8_t words[8];
	int r = used_region_read(log->xfs->region, words, sizeof(words),
				 log->xfs->log + block * BLOCK, err);

	*out = be32_at(words) == (uint32_t)RECORD_MAGIC ? be32_at(words + 4) : be32_at(words);
	return r;
}

/* The first block that is not of the round that block 0 is of. */
static int search_head(const struct log *log, uint32_t first, uint64_t *out, struct error *err)
{
	uint64_t low = 0, high = log->blocks - 1;

	while (high - low > 1) {
		uint64_t middle = low + (high - low) / 2;
		uint32_t cycle;
		int r = read_cycle(log, middle, &cycle, err);

		if (r != USED_KNOWN)
			return r;
		if (cycle == first)
			low = middle;
		else
			high = middle;
	}
	*out = high;
	return USED_KNOWN;
}

/* Blocks that were written out of order would be seen here. */
static int check_cycles(const struct log *log, uint64_t from, uint64_t to, uint32_t want,
			struct error *err)
{
	for (uint64_t block = from; block < to; block++) {
		uint32_t cycle;
		int r = read_cycle(log, block, &cycle, err);

		if (r != USED_KNOWN)
			return r;
		if (cycle != want)
			return unclean(err);
	}
	return USED_KNOWN;
}

/* The head is where the next record goes. */
static int find_head(const struct log *log, uint64_t *head, struct error *err)
{
	uint32_t first, last;
	uint64_t to;
	int r = read_cycle(log, 0, &first, err);

	if (r == USED_KNOWN)
		r = read_cycle(log, log->blocks - 1, &last, err);
	if (r != USED_KNOWN)
		return r;
	*head = log->blocks;
	if (first != last) {
		/* What mkfs left is zeroes, and rounds are counted from 1. */
		if (first == 0 || last != first - 1)
			return unclean(err);
		r = search_head(log, first, head, err);
		if (r != USED_KNOWN)
			return r;
	}
	to = log->blocks - *head < IN_FLIGHT ? log->blocks : *head + IN_FLIGHT;
	r = check_cycles(log, *head < IN_FLIGHT ? 0 : *head - IN_FLIGHT, *head, first, err);
	return r == USED_KNOWN ? check_cycles(log, *head, to, last, err) : r;
}

/* header: of the record at block, length blocks before the head. */
static int check_record(const struct log *log, const uint8_t *header, uint64_t block,
			uint64_t length, struct error *err)
{
	uint64_t bytes = be32_at(header + 12), size = be32_at(header + 320);
	uint64_t headers = 1;
	uint8_t operation[12];
	int r;

	if (be32_at(header + 8) & 2 && size > HEADER_COVERS)
		headers = (size + HEADER_COVERS - 1) / HEADER_COVERS;
	if (headers + (bytes + BLOCK - 1) / BLOCK != length || be32_at(header + 40) != 1 ||
	    (uint32_t)be64_at(header + 16) != block)
		return unclean(err);
	block = (block + headers) % log->blocks;
	r = used_region_read(log->xfs->region, operation, sizeof(operation),
			     log->xfs->log + block * BLOCK, err);
	if (r != USED_KNOWN)
		return r;
	return operation[8] == CLIENT_LOG && operation[9] & UNMOUNT ? USED_KNOWN : unclean(err);
}

int used_xfs_check_log(const struct used_xfs *xfs, struct error *err)
{
	const struct log log = {.xfs = xfs, .blocks = xfs->log_length / BLOCK};
	uint64_t head;
	int r;

	if (log.blocks < RECORD_MOST)
		return used_decline(err, "its log is too short");
	r = find_head(&log, &head, err);
	for (uint64_t length = 1; r == USED_KNOWN && length <= RECORD_MOST; length++) {
		uint64_t block = (head + log.blocks - length) % log.blocks;
		uint8_t header[BLOCK];

		r = used_region_read(xfs->region, header, sizeof(header), xfs->log + block * BLOCK,
				     err);
		if (r == USED_KNOWN && be32_at(header) == (uint32_t)RECORD_MAGIC)
			return check_record(&log, header, block, length, err);
	}
	return r == USED_KNOWN ? unclean(err) : r;
}
