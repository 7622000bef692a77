// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/test.h"

#include <libdeflate.h>
#include <zstd.h>

#include "base/scope.h"
#include "tests/qcow2-image.h"

#define PLACE (AT(8) + 300) /* of the compressed data: its first sector ends 212 bytes later */

/* Bytes that do not compress much, so that the data is longer than the rest of its first sector. */
static void make_cluster(uint8_t *data, size_t length)
{
	for (size_t i = 0; i < length; i++)
		data[i] = (uint8_t)(i * i * 2654435761U >> 24);
}

static size_t pack_zlib(const uint8_t *data, size_t length, uint8_t *out, size_t room)
{
	struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(6);
	size_t packed = libdeflate_deflate_compress(compressor, data, length, out, room);

	libdeflate_free_compressor(compressor);
	return packed;
}

static void use_zstd(struct qcow2_image *image)
{
	put32(image, 100, 112);
	put64(image, 72, 8);
	image->bytes[104] = 1;
}

static void open_image(const struct qcow2_image *image, struct source **source)
{
	_cleanup_error_ struct error err = {0};

	if (qcow2_image_open(image, source, &err) < 0)
		fail_msg("%s", error_text(&err));
}

static void assert_reads(const struct qcow2_image *image, const uint8_t *expected)
{
	_cleanup_source_ struct source *source = NULL;
	_cleanup_error_ struct error err = {0};
	uint8_t data[CLUSTER];

	open_image(image, &source);
	if (source_read(source, data, CLUSTER, AT(3), &err) < 0)
		fail_msg("%s", error_text(&err));
	assert_memory_equal(data, expected, CLUSTER);
	for (int twice = 0; twice < 2; twice++) {
		assert_int_equal(source_read(source, data, 100, AT(3) + 400, NULL), 0);
		assert_memory_equal(data, expected + 400, 100);
	}
}

static void assert_damaged(const struct qcow2_image *image, const char *message)
{
	_cleanup_source_ struct source *source = NULL;
	_cleanup_error_ struct error err = {0};
	uint8_t data[CLUSTER];

	open_image(image, &source);
	assert_int_equal(source_read(source, data, CLUSTER, AT(3), &err), -1);
	assert_string_equal(strstr(error_text(&err), "disk offset"), message);
	assert_int_equal(source_read(source, data, 10, AT(3) + 5, &err), -1);
	assert_string_equal(strstr(error_text(&err), "disk offset"), message);
}

static void compressed_data_may_span_sectors(void **state)
{
	struct qcow2_image image;
	uint8_t data[CLUSTER];
	size_t packed;

	(void)state;
	make_cluster(data, sizeof(data));
	qcow2_image_init(&image);
	packed = pack_zlib(data, CLUSTER, image.bytes + PLACE, 724);
	assert_in_range(packed, 213, 724);
	put_l2(&image, 3, PACKED(PLACE, 1));
	assert_reads(&image, data);
}

static void the_last_sector_may_reach_beyond_the_file(void **state)
{
	struct qcow2_image image;
	uint8_t data[CLUSTER];

	(void)state;
	make_cluster(data, sizeof(data));
	qcow2_image_init(&image);
	image.length = PLACE + pack_zlib(data, CLUSTER, image.bytes + PLACE, 724);
	put_l2(&image, 3, PACKED(PLACE, 1));
	assert_reads(&image, data);
}

static void data_that_is_cut_short_is_refused(void **state)
{
	struct qcow2_image image;
	uint8_t data[CLUSTER];

	(void)state;
	make_cluster(data, sizeof(data));
	qcow2_image_init(&image);
	pack_zlib(data, CLUSTER, image.bytes + PLACE, 724);
	put_l2(&image, 3, PACKED(PLACE, 0));
	assert_damaged(&image, "disk offset 1536: image is corrupt: unpack compressed cluster at "
			       "file offset 4396: the deflate stream is damaged");
}

static void bad_deflate_data_is_refused(void **state)
{
	struct qcow2_image image;

	(void)state;
	qcow2_image_init(&image);
	memset(image.bytes + PLACE, 0xff, 600);
	put_l2(&image, 3, PACKED(PLACE, 0));
	assert_damaged(&image, "disk offset 1536: image is corrupt: unpack compressed cluster at "
			       "file offset 4396: the deflate stream is damaged");
}

static void deflate_data_of_another_length_is_refused(void **state)
{
	static const uint8_t zeroes[CLUSTER + 1];
	struct qcow2_image image;

	(void)state;
	qcow2_image_init(&image);
	put_l2(&image, 3, PACKED(PLACE, 0));
	pack_zlib(zeroes, CLUSTER - 1, image.bytes + PLACE, 212);
	assert_damaged(&image, "disk offset 1536: image is corrupt: unpack compressed cluster at "
			       "file offset 4396: it is shorter than a cluster");
	pack_zlib(zeroes, CLUSTER + 1, image.bytes + PLACE, 212);
	assert_damaged(&image, "disk offset 1536: image is corrupt: unpack compressed cluster at "
			       "file offset 4396: it is longer than a cluster");
}

static void zstd_data_may_have_several_frames(void **state)
{
	static const uint8_t skippable[] = {0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 'x', 'y'};
	struct qcow2_image image;
	uint8_t data[CLUSTER];
	uint8_t *out = image.bytes + PLACE;

	(void)state;
	make_cluster(data, sizeof(data));
	qcow2_image_init(&image);
	use_zstd(&image);
	out += ZSTD_compress(out, 600, data, 100, 3);
	memcpy(out, skippable, sizeof(skippable));
	out += sizeof(skippable);
	ZSTD_compress(out, 600, data + 100, CLUSTER - 100, 3);
	put_l2(&image, 3, PACKED(PLACE, 1));
	assert_reads(&image, data);
}

static void bad_zstd_data_is_refused(void **state)
{
	static const uint8_t zeroes[CLUSTER + 1];
	struct qcow2_image image;
	size_t packed;

	(void)state;
	qcow2_image_init(&image);
	use_zstd(&image);
	put_l2(&image, 3, PACKED(PLACE, 0));
	assert_damaged(&image, "disk offset 1536: image is corrupt: unpack compressed cluster at "
			       "file offset 4396: Unknown frame descriptor");
	packed = ZSTD_compress(image.bytes + PLACE, 212, zeroes, CLUSTER + 1, 3);
	assert_damaged(&image, "disk offset 1536: image is corrupt: unpack compressed cluster at "
			       "file offset 4396: Destination buffer is too small");
	packed = ZSTD_compress(image.bytes + PLACE, 212, zeroes, CLUSTER - 1, 3);
	image.length = PLACE + packed;
	assert_damaged(&image, "disk offset 1536: image is corrupt: unpack compressed cluster at "
			       "file offset 4396: it is shorter than a cluster");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compressed_data_may_span_sectors),
		cmocka_unit_test(the_last_sector_may_reach_beyond_the_file),
		cmocka_unit_test(data_that_is_cut_short_is_refused),
		cmocka_unit_test(bad_deflate_data_is_refused),
		cmocka_unit_test(deflate_data_of_another_length_is_refused),
		cmocka_unit_test(zstd_data_may_have_several_frames),
		cmocka_unit_test(bad_zstd_data_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
