// SPDX-License-Identifier: GPL-3.0-or-later
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "restore/qcow2.h"

int qcow2_words_read(const struct image_file *file, const char *what, uint64_t *words,
		     size_t length, uint64_t file_offset, struct error *err)
{
	if (image_file_read(file, what, words, length, file_offset, err) < 0)
		return -1;
	for (size_t i = 0; i < length / sizeof(*words); i++)
		words[i] = be64toh(words[i]);
	return 0;
}

static struct qcow2_slot *slot_of(const struct qcow2_cache *cache, uint64_t number)
{
	return &cache->slots[number % cache->slot_count];
}

static pthread_mutex_t *lock_of(struct qcow2_cache *cache, uint64_t number)
{
	return &cache->locks[number % cache->slot_count % QCOW2_STRIPES];
}

/* Called with the lock held. */
static int fill(const struct qcow2_cache *cache, struct qcow2_slot *slot, uint64_t file_offset,
		size_t length, struct error *err)
{
	if (!slot->words)
		slot->words = malloc(cache->slice_size);
	if (!slot->words)
		return error_sys(err, ENOMEM, "read %s", cache->what);
	if (qcow2_words_read(cache->file, cache->what, slot->words, length, file_offset, err) < 0)
		return -1;
	memset((uint8_t *)slot->words + length, 0, cache->slice_size - length);
	return 0;
}

const uint64_t *qcow2_cache_lock(struct qcow2_cache *cache, uint64_t number, uint64_t file_offset,
				 size_t length, struct error *err)
{
	struct qcow2_slot *slot = slot_of(cache, number);

	pthread_mutex_lock(lock_of(cache, number));
	if (slot->number == number + 1)
		return slot->words;
	slot->number = 0;
	if (fill(cache, slot, file_offset, length, err) < 0) {
		pthread_mutex_unlock(lock_of(cache, number));
		return NULL;
	}
	slot->number = number + 1;
	return slot->words;
}

void qcow2_cache_unlock(struct qcow2_cache *cache, uint64_t number)
{
	pthread_mutex_unlock(lock_of(cache, number));
}

int qcow2_cache_init(struct qcow2_cache *cache, const struct image_file *file, const char *what,
		     size_t slice_size, uint64_t slices, uint64_t limit, struct error *err)
{
	uint64_t slots = limit / slice_size < slices ? limit / slice_size : slices;

	*cache = (struct qcow2_cache){
		.file = file,
		.what = what,
		.slice_size = slice_size,
		.slot_count = slots ? (size_t)slots : 1,
	};
	for (int i = 0; i < QCOW2_STRIPES; i++)
		pthread_mutex_init(&cache->locks[i], NULL);
	cache->slots = calloc(cache->slot_count, sizeof(*cache->slots));
	return cache->slots ? 0 : error_sys(err, ENOMEM, "make room for %s", what);
}

void qcow2_cache_release(struct qcow2_cache *cache)
{
	if (!cache->file)
		return;
	for (size_t i = 0; i < cache->slot_count && cache->slots; i++)
		free(cache->slots[i].words);
	free(cache->slots);
	for (int i = 0; i < QCOW2_STRIPES; i++)
		pthread_mutex_destroy(&cache->locks[i]);
}
