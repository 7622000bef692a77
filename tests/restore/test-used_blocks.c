// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/restore/used-image.h"

#include <pthread.h>

#include "restore/used_blocks_kinds.h"
#include "tests/fake-source.h"

/* A GPT with a FAT, an ext4, an unknown and a swap partition of 64 MiB each, from 1 MiB on. */
static void make_disk(void)
{
	make_image(300 * MIB);
	run("sfdisk",
	    "printf 'label: gpt\\nsize=64M,type=U\\nsize=64M\\nsize=64M\\nsize=64M,type=S\\n' "
	    "| sfdisk -q image");
	run("mke2fs", "truncate -s 64M part && mkfs.fat -F 32 part >/dev/null && "
		      "dd if=part of=image bs=1M seek=1 conv=notrunc status=none && rm part && "
		      "truncate -s 64M part && mke2fs -q -F -t ext4 part && "
		      "dd if=part of=image bs=1M seek=65 conv=notrunc status=none && rm part && "
		      "truncate -s 64M part && mkswap -q part && "
		      "dd if=part of=image bs=1M seek=193 conv=notrunc status=none");
}

static void each_partition_is_looked_into(void **state)
{
	_cleanup_source_ struct source *source = NULL;
	json_object *list;

	(void)state;
	make_disk();
	source = open_image();
	list = used_blocks_json(source->used);
	assert_string_equal(
		json_object_to_json_string_ext(list, JSON_C_TO_STRING_PLAIN),
		"[{\"partition\":1,\"filesystem\":\"vfat\",\"understood\":true,\"why\":null},"
		"{\"partition\":2,\"filesystem\":\"ext4\",\"understood\":true,\"why\":null},"
		"{\"partition\":3,\"filesystem\":null,\"understood\":false,"
		"\"why\":\"its content is not known\"},"
		"{\"partition\":4,\"filesystem\":\"swap\",\"understood\":true,\"why\":null}]");
	json_object_put(list);
}

static void what_lies_outside_of_file_systems_is_in_use(void **state)
{
	(void)state;
	make_disk();
	assert_true(restore() > 150 * MIB);
	run("cmp", "cmp -n $((1 << 20)) image disk && "
		   "cmp -i $((129 << 20)) -n $((64 << 20)) image disk && "
		   "cmp -i $((257 << 20)) image disk");
	run("e2fsck", "dd if=disk of=back bs=1M skip=65 count=64 status=none && e2fsck -fn back && "
		      "dd if=disk of=fat bs=1M skip=1 count=64 status=none && fsck.fat -n fat");
}

static void neighbours_of_a_kind_are_one_answer(void **state)
{
	_cleanup_source_ struct source *source = NULL;
	uint64_t length;

	(void)state;
	make_disk();
	source = open_image();
	length = 1000 * MIB;
	/* Behind the swap's header to its end. */
	assert_false(used_blocks_is_used(source->used, 194 * MIB, &length));
	assert_int_equal(length, 63 * MIB);
	length = 1000 * MIB;
	assert_true(used_blocks_is_used(source->used, 257 * MIB, &length));
	assert_int_equal(length, 1000 * MIB);
	/* The unknown partition, and the swap's header behind it. */
	length = 1000 * MIB;
	assert_true(used_blocks_is_used(source->used, 130 * MIB, &length));
	assert_int_equal(length, 63 * MIB + 64 * KIB);
	length = 1;
	assert_false(used_blocks_is_used(source->used, 194 * MIB, &length));
	assert_int_equal(length, 1);
}

static void a_partition_beyond_the_image_is_copied_whole(void **state)
{
	struct fake_source fake = {.size = MIB};
	struct partition partition = {.number = 1, .start = MIB / 2, .length = MIB};
	const struct layout layout = {.partition = &partition, .count = 1};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_free_ char *why = NULL;

	(void)state;
	partition.filesystem = (char *)"swap";
	assert_int_equal(fake_source_open(&fake, &source), 0);
	assert_int_equal(used_blocks_find(source, &layout, &source->used, NULL), 0);
	why = why_not(source, 0);
	assert_string_equal(why, "it does not lie within the image");
}

static void partitions_that_overlap_are_copied_whole(void **state)
{
	const struct source_options raw = {.format = "raw"};
	struct partition partitions[] = {
		{.number = 1, .length = 64 * MIB, .filesystem = (char *)"swap"},
		{.number = 2, .start = 32 * MIB, .length = 32 * MIB},
	};
	const struct layout layout = {.partition = partitions, .count = 2};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_free_ char *first = NULL, *second = NULL;
	uint64_t length = 64 * MIB;

	(void)state;
	make_image(64 * MIB);
	run("mkswap", "mkswap -q image");
	assert_int_equal(source_open("image", &raw, &source, NULL), 0);
	assert_int_equal(used_blocks_find(source, &layout, &source->used, NULL), 0);
	first = why_not(source, 0);
	second = why_not(source, 1);
	assert_string_equal(first, "it overlaps another");
	assert_string_equal(second, "it overlaps another");
	assert_true(used_blocks_is_used(source->used, 0, &length));
	assert_int_equal(length, 64 * MIB);
}

static void an_image_that_cannot_be_read_is_an_error(void **state)
{
	struct fake_source fake = {.size = 64 * MIB, .error_at = 1500};
	struct partition partition = {
		.number = 3, .length = 64 * MIB, .filesystem = (char *)"ext4"};
	const struct layout layout = {.partition = &partition, .count = 1};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_error_ struct error err = {0};

	(void)state;
	assert_int_equal(fake_source_open(&fake, &source), 0);
	assert_int_equal(used_blocks_find(source, &layout, &source->used, &err), -1);
	assert_string_equal(error_text(&err),
			    "find what partition 3 uses: read 65536 bytes of fake "
			    "at offset 0: fake read error at offset 1500");
}

static void no_partition_has_nothing_to_say(void **state)
{
	json_object *list = used_blocks_json(NULL);

	(void)state;
	assert_int_equal(json_object_array_length(list), 0);
	json_object_put(list);
	used_blocks_free(NULL);
}

/* An ext4 that has become unreadable: what is known stays, the rest is in use. */
static void after_an_error_in_reading_everything_is_in_use(void **state)
{
	_cleanup_source_ struct source *source = NULL;
	uint64_t length;

	(void)state;
	make_image(300 * MIB);
	run("mke2fs", "mke2fs -q -F -t ext4 -O ^flex_bg,^metadata_csum,^uninit_bg image");
	source = open_image();
	run("truncate", "truncate -s 4k image");
	length = MIB;
	assert_true(used_blocks_is_used(source->used, 290 * MIB, &length));
	length = 300 * MIB;
	assert_true(used_blocks_is_used(source->used, 0, &length));
	assert_int_equal(length, 300 * MIB);
}

struct asker {
	struct used_blocks *used;
	uint64_t size, unused;
};

static void *ask(void *context)
{
	struct asker *asker = context;
	uint64_t length;

	for (uint64_t at = 0; at < asker->size; at += length) {
		length = 777 * KIB < asker->size - at ? 777 * KIB : asker->size - at;
		if (!used_blocks_is_used(asker->used, at, &length))
			asker->unused += length;
	}
	return NULL;
}

static void threads_get_the_same_answers(void **state)
{
	_cleanup_source_ struct source *source = NULL;
	struct asker asker[4];
	pthread_t thread[4];

	(void)state;
	make_disk();
	source = open_image();
	for (size_t i = 0; i < 4; i++) {
		asker[i] = (struct asker){.used = source->used, .size = source->size};
		assert_int_equal(pthread_create(&thread[i], NULL, ask, &asker[i]), 0);
	}
	for (size_t i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(asker[i].unused, asker[0].unused);
	assert_true(asker[0].unused > 150 * MIB);
}

static void runs_of_clear_bits_are_unused(void **state)
{
	_cleanup_free_ struct used_window *window = calloc(1, sizeof(*window));
	uint8_t bits[8] = {0xff, 0x0f, 0, 0, 0xf0, 0xff, 0xfe, 0x7f};

	(void)state;
	assert_non_null(window);
	window->end = UINT64_MAX;
	/* 64 bits of 64 KiB from 1 MiB on: 12 to 35, 48, 63. */
	used_window_add_bitmap(window, bits, 64, 64 * KIB, MIB);
	assert_int_equal(window->count, 3);
	assert_int_equal(window->unused[0].start, MIB + 12 * 64 * KIB);
	assert_int_equal(window->unused[0].end, MIB + 36 * 64 * KIB);
	assert_int_equal(window->unused[1].start, MIB + 48 * 64 * KIB);
	assert_int_equal(window->unused[2].end, MIB + 64 * 64 * KIB);
}

static void short_runs_are_called_used(void **state)
{
	_cleanup_free_ struct used_window *window = calloc(1, sizeof(*window));

	(void)state;
	assert_non_null(window);
	window->start = 100;
	window->end = 200 * KIB;
	assert_true(used_window_add(window, 0, 64 * KIB));
	assert_true(used_window_add(window, 140 * KIB, 300 * KIB));
	assert_int_equal(window->count, 0);
	assert_true(used_window_add(window, 130 * KIB, 300 * KIB));
	assert_int_equal(window->count, 1);
	assert_int_equal(window->unused[0].end, 200 * KIB);
}

static void a_full_window_ends_before_what_it_cannot_hold(void **state)
{
	_cleanup_free_ struct used_window *window = calloc(1, sizeof(*window));
	uint64_t i = 0;

	(void)state;
	assert_non_null(window);
	window->end = UINT64_MAX;
	while (used_window_add(window, i * MIB, i * MIB + 64 * KIB))
		i++;
	assert_int_equal(i, USED_WINDOW_STRETCHES);
	assert_int_equal(window->end, i * MIB);
}

static void a_region_reads_across_its_segments(void **state)
{
	struct fake_source fake = {.size = 4 * MIB};
	_cleanup_source_ struct source *source = NULL;
	struct used_cache cache = {0};
	struct used_region region = {.cache = &cache};
	_cleanup_error_ struct error err = {0};
	uint8_t data[3000];

	(void)state;
	assert_int_equal(fake_source_open(&fake, &source), 0);
	cache.source = source;
	assert_true(used_region_add(&region, 3 * MIB, 1000));
	assert_true(used_region_add(&region, 100, 1000));
	assert_true(used_region_add(&region, 2 * MIB, 1000));
	assert_false(used_region_add(&region, 4 * MIB - 1, 2));
	assert_int_equal(used_region_read(&region, data, 3000, 0, &err), USED_KNOWN);
	for (size_t i = 0; i < 1000; i++) {
		assert_int_equal(data[i], fake_source_byte(3 * MIB + i));
		assert_int_equal(data[1000 + i], fake_source_byte(100 + i));
		assert_int_equal(data[2000 + i], fake_source_byte(2 * MIB + i));
	}
	assert_int_equal(used_region_read(&region, data, 2, 2999, &err), USED_DECLINED);
	assert_string_equal(error_text(&err),
			    "its structures name 2 bytes at offset 2999, outside of it");
	used_region_release(&region);
	used_cache_release(&cache);
}

static void what_is_kept_is_bounded(void **state)
{
	struct used_cache cache = {.memory_left = 100};
	_cleanup_error_ struct error err = {0};

	(void)state;
	assert_int_equal(used_cache_reserve(&cache, 60, &err), USED_KNOWN);
	assert_int_equal(used_cache_reserve(&cache, 60, &err), USED_DECLINED);
	assert_string_equal(error_text(&err), "its tables take 60 bytes, more than can be kept");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(each_partition_is_looked_into),
		test(what_lies_outside_of_file_systems_is_in_use),
		test(neighbours_of_a_kind_are_one_answer),
		test(a_partition_beyond_the_image_is_copied_whole),
		test(partitions_that_overlap_are_copied_whole),
		test(an_image_that_cannot_be_read_is_an_error),
		test(no_partition_has_nothing_to_say),
		test(after_an_error_in_reading_everything_is_in_use),
		test(threads_get_the_same_answers),
		cmocka_unit_test(runs_of_clear_bits_are_unused),
		cmocka_unit_test(short_runs_are_called_used),
		cmocka_unit_test(a_full_window_ends_before_what_it_cannot_hold),
		cmocka_unit_test(a_region_reads_across_its_segments),
		cmocka_unit_test(what_is_kept_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
