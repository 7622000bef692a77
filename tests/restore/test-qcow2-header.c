// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/test.h"

#include "base/scope.h"
#include "restore/qcow2.h"
#include "tests/qcow2-image.h"

static void assert_opens(const struct qcow2_image *image)
{
	_cleanup_source_ struct source *source = NULL;
	_cleanup_error_ struct error err = {0};

	if (qcow2_image_open(image, &source, &err) < 0)
		fail_msg("%s", error_text(&err));
}

static void assert_refused(const struct qcow2_image *image, const char *message)
{
	_cleanup_source_ struct source *source = NULL;
	_cleanup_error_ struct error err = {0};
	static const char context[] = "open image image: ";

	assert_int_equal(qcow2_image_open(image, &source, &err), -1);
	assert_null(source);
	assert_memory_equal(error_text(&err), context, strlen(context));
	assert_string_equal(error_text(&err) + strlen(context), message);
}

/* One field of a sound image, set to a value that is not. */
static const struct damage {
	size_t offset;
	unsigned int width; /* bytes: 4 or 8 */
	uint64_t value;
	const char *message;
} damages[] = {
	{0, 4, 0x514649fa, "this is not a qcow2 image"},
	{4, 4, 1,
	 "qcow version 1 is not supported: convert the image first with `qemu-img convert -O "
	 "qcow2`"},
	{4, 4, 4,
	 "qcow version 4 is not supported: convert the image first with `qemu-img convert -O "
	 "qcow2`"},
	{20, 4, 8, "image is corrupt: its cluster size is 2^8 bytes (2^9 to 2^21 are possible)"},
	{20, 4, 22, "image is corrupt: its cluster size is 2^22 bytes (2^9 to 2^21 are possible)"},
	{20, 4, UINT32_MAX,
	 "image is corrupt: its cluster size is 2^4294967295 bytes (2^9 to 2^21 are possible)"},
	{24, 8, 0, "the disk in this image has a size of 0"},
	{24, 8, UINT64_MAX, "image is corrupt: its disk size is 18446744073709551615 bytes"},
	{24, 8, INT64_MAX,
	 "image is corrupt: a disk of 9223372036854775807 bytes is more than clusters of 512 "
	 "bytes can hold"},
	{24, 8, (128ULL << 30) + 1,
	 "image is corrupt: a disk of 137438953473 bytes is more than clusters of 512 bytes can "
	 "hold"},
	{24, 8, 1 << 20, "image is corrupt: its L1 table has 2 entries, the disk needs 32"},
	{32, 4, 1,
	 "the image is encrypted (AES), which is not supported: make a plain image first with "
	 "`qemu-img convert`"},
	{32, 4, 2,
	 "the image is encrypted (LUKS), which is not supported: make a plain image first with "
	 "`qemu-img convert`"},
	{32, 4, 3, "the image has an unknown encryption method 3"},
	{36, 4, 1, "image is corrupt: its L1 table has 1 entries, the disk needs 2"},
	{40, 8, 513,
	 "image is corrupt: its L1 table is at file offset 513, which is not the beginning of a "
	 "cluster"},
	{40, 8, 0,
	 "image is corrupt: its L1 table is at file offset 0, which is not the beginning of a "
	 "cluster"},
	{40, 8, AT(CLUSTERS),
	 "image is truncated: L1 table of 16 bytes at file offset 8192 is missing, the file ends "
	 "at 8192"},
	{40, 8, UINT64_MAX - 511,
	 "image is truncated: L1 table of 16 bytes at file offset 18446744073709551104 is missing, "
	 "the file ends at 8192"},
	{72, 8, 2,
	 "the image is marked as corrupt: repair a copy of it first with `qemu-img check -r all`"},
	{72, 8, 4,
	 "the image keeps its data in another file (external data file) and does not say in which: "
	 "make a complete image first with `qemu-img convert`"},
	{72, 8, 8,
	 "image is corrupt: its compression type 0 and its feature bits contradict each other"},
	{72, 8, 16,
	 "image is corrupt: it has extended L2 entries, which clusters of 512 bytes cannot have"},
	{72, 8, 1ULL << 63,
	 "the image uses a feature that is not known here: without a name (bit 63)"},
	{96, 4, 7, "image is corrupt: its refcount order is 7"},
	{100, 4, 96, "image is corrupt: its header length is 96 bytes"},
	{100, 4, 105, "image is corrupt: its header length is 105 bytes"},
	{100, 4, 520, "image is corrupt: its header length is 520 bytes"},
	{100, 4, UINT32_MAX - 7, "image is corrupt: its header length is 4294967288 bytes"},
};

static void a_sound_header_is_accepted(void **state)
{
	struct qcow2_image image;

	(void)state;
	qcow2_image_init(&image);
	assert_opens(&image);
	put32(&image, 4, 2);
	memset(image.bytes + 76, 0xff, 100); /* version 2 ends there, with no extension */
	assert_opens(&image);
}

static void every_field_out_of_range_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_length(damages); i++) {
		struct qcow2_image image;

		qcow2_image_init(&image);
		if (damages[i].width == 4)
			put32(&image, damages[i].offset, (uint32_t)damages[i].value);
		else
			put64(&image, damages[i].offset, damages[i].value);
		assert_refused(&image, damages[i].message);
	}
}

static void the_dirty_bit_is_tolerated(void **state)
{
	struct qcow2_image image;

	(void)state;
	qcow2_image_init(&image);
	put64(&image, 72, 1);
	assert_opens(&image);
}

static void compatible_and_autoclear_bits_are_ignored(void **state)
{
	struct qcow2_image image;

	(void)state;
	qcow2_image_init(&image);
	put64(&image, 80, UINT64_MAX);
	put64(&image, 88, UINT64_MAX);
	assert_opens(&image);
}

static void the_compression_type_must_be_known(void **state)
{
	struct qcow2_image image;

	(void)state;
	qcow2_image_init(&image);
	put32(&image, 100, 112);
	assert_opens(&image);
	image.bytes[104] = 1;
	assert_refused(&image, "image is corrupt: its compression type 1 and its feature bits "
			       "contradict each other");
	put64(&image, 72, 8);
	assert_opens(&image);
	image.bytes[104] = 2;
	assert_refused(&image, "the image has an unknown compression type 2");
}

static void an_unknown_feature_is_named_as_the_image_names_it(void **state)
{
	struct qcow2_image image;

	(void)state;
	qcow2_image_init(&image);
	put64(&image, 72, 1ULL << 40);
	put32(&image, 104, 0x12345678); /* some extension of 3 bytes before it */
	put32(&image, 108, 3);
	put32(&image, 120, 0x6803f857);
	put32(&image, 124, 96);
	image.bytes[128 + 1] = 7;
	memcpy(image.bytes + 128 + 2, "other", 5);
	image.bytes[176 + 1] = 40;
	memcpy(image.bytes + 176 + 2, "tele\033[31mport", 13);
	assert_refused(&image, "the image uses a feature that is not known here: tele?[31mport "
			       "(bit 40)");
	put32(&image, 124, UINT32_MAX);
	assert_refused(&image,
		       "the image uses a feature that is not known here: without a name (bit 40)");
}

static void put_extension(struct qcow2_image *image, size_t offset, uint32_t type,
			  const char *value)
{
	put32(image, offset, type);
	put32(image, offset + 4, (uint32_t)strlen(value));
	memcpy(image->bytes + offset + 8, value, strlen(value));
}

static void the_name_of_a_backing_file_must_be_there(void **state)
{
	struct qcow2_image image;

	(void)state;
	qcow2_image_init(&image);
	put64(&image, 8, 256);
	assert_refused(&image, "image is corrupt: the name of its backing file has a length of "
			       "0 bytes");
	put32(&image, 16, 1024);
	assert_refused(&image, "image is corrupt: the name of its backing file has a length of "
			       "1024 bytes");
	put32(&image, 16, 1023);
	put64(&image, 8, UINT64_MAX);
	assert_refused(&image, "image is truncated: name of the backing file of 1023 bytes at file "
			       "offset 18446744073709551615 is missing, the file ends at 8192");
}

static void an_extension_ends_within_the_first_cluster(void **state)
{
	struct qcow2_image image;

	(void)state;
	qcow2_image_init(&image);
	put_extension(&image, 104, 0x12345678, "anything");
	put_extension(&image, 120, 0xe2792aca, "raw");
	put32(&image, 136, 0x12345678);
	put32(&image, 140, 512 - 144);
	assert_opens(&image);
	put32(&image, 140, 512 - 143);
	assert_refused(&image, "image is corrupt: its header extension at file offset 136 has a "
			       "length of 369 bytes, more than there is room for");
	put32(&image, 140, UINT32_MAX);
	assert_refused(&image, "image is corrupt: its header extension at file offset 136 has a "
			       "length of 4294967295 bytes, more than there is room for");
	put32(&image, 140, 8);
	put64(&image, 8, 150); /* a name there ends the extensions */
	assert_refused(&image, "image is corrupt: its header extension at file offset 136 has a "
			       "length of 8 bytes, more than there is room for");
}

static void a_data_file_is_opened_only_where_the_feature_says_so(void **state)
{
	struct qcow2_image image;

	(void)state;
	qcow2_image_init(&image);
	put_extension(&image, 104, 0x44415441, "");
	assert_refused(&image, "image is corrupt: the name of its data file has a length of 0 "
			       "bytes");
	put_extension(&image, 104, 0x44415441, "/etc/shadow");
	assert_opens(&image);
	put64(&image, 72, 4);
	assert_refused(&image, "data file: the image names another file, '/etc/shadow': only files "
			       "in the image's own directory are opened; copy it there, or make "
			       "one image of both with `qemu-img convert -O qcow2`");
	put64(&image, 88, 2);
	put64(&image, 8, 300);
	put32(&image, 16, 4);
	memcpy(image.bytes + 300, "base", 4);
	assert_refused(&image, "image is corrupt: it has both a raw data file and a backing file");
}

static void a_large_disk_needs_its_l1_table_in_the_file(void **state)
{
	struct qcow2_image image;

	(void)state;
	qcow2_image_init(&image);
	put64(&image, 24, 128ULL << 30);
	put32(&image, 36, UINT32_MAX);
	assert_refused(&image, "image is truncated: L1 table of 33554432 bytes at file offset 512 "
			       "is missing, the file ends at 8192");
}

static void a_cut_header_is_refused(void **state)
{
	struct qcow2_image image;

	(void)state;
	qcow2_image_init(&image);
	image.length = 71;
	assert_refused(&image, "image is truncated: header of 72 bytes at file offset 0 is "
			       "missing, the file ends at 71");
	image.length = 103;
	assert_refused(&image, "image is truncated: header of 104 bytes at file offset 0 is "
			       "missing, the file ends at 103");
	image.length = 104;
	assert_refused(&image, "image is truncated: L1 table of 16 bytes at file offset 512 is "
			       "missing, the file ends at 104");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sound_header_is_accepted),
		cmocka_unit_test(every_field_out_of_range_is_refused),
		cmocka_unit_test(the_dirty_bit_is_tolerated),
		cmocka_unit_test(compatible_and_autoclear_bits_are_ignored),
		cmocka_unit_test(the_compression_type_must_be_known),
		cmocka_unit_test(an_unknown_feature_is_named_as_the_image_names_it),
		cmocka_unit_test(the_name_of_a_backing_file_must_be_there),
		cmocka_unit_test(an_extension_ends_within_the_first_cluster),
		cmocka_unit_test(a_data_file_is_opened_only_where_the_feature_says_so),
		cmocka_unit_test(a_large_disk_needs_its_l1_table_in_the_file),
		cmocka_unit_test(a_cut_header_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
