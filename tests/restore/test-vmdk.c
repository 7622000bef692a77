// SPDX-License-Identifier: GPL-3.0-or-later
/* VMDK images made by hand, sound and hostile, as files and as streams. */
#include "tests/test.h"

#include "base/text.h"
#include "restore/vmdk.h"
#include "tests/vmdk-image.h"

enum way { AS_FILE, AS_STREAM };

static int read_file(struct source *source, uint8_t *data, struct error *err)
{
	if (source_check(source, err) < 0)
		return -1;
	return source_read(source, data, (size_t)source->size, 0, err);
}

static int read_stream(struct source *source, uint8_t *data, struct error *err)
{
	struct extent extent = {.length = 1};

	for (uint64_t at = 0; extent.length > 0; at += extent.length) {
		if (source_next(source, data + at, 3 * (size_t)GRAIN, &extent, err) < 0)
			return -1;
		if (extent.kind == EXTENT_ZERO)
			memset(data + at, 0, (size_t)extent.length);
	}
	return source_finish(source, err);
}

/* All that a restore does with an image. data has room for the disk and some grains more. */
static int read_image(const struct vmdk_image *image, enum way way, uint8_t *data,
		      struct error *err)
{
	_cleanup_source_ struct source *source = NULL;
	struct stream_file stream;

	if ((way == AS_FILE ? vmdk_image_open(image, &source, err)
			    : vmdk_image_open_stream(image, &stream, &source, err)) < 0)
		return -1;
	if (source->size > DISK_SIZE)
		return error_set(err, "larger than expected");
	return source->is_stream ? read_stream(source, data, err) : read_file(source, data, err);
}

static void assert_reads_well(const struct vmdk_image *image, enum way way)
{
	static uint8_t data[DISK_SIZE + 4 * GRAIN], expected[DISK_SIZE];
	_cleanup_error_ struct error err = {0};

	memset(data, 0xee, sizeof(data));
	vmdk_image_expected(expected);
	if (read_image(image, way, data, &err) < 0)
		fail_msg("%s", error_text(&err));
	assert_memory_equal(data, expected, DISK_SIZE);
}

static void assert_refused(const struct vmdk_image *image, enum way way, const char *message)
{
	static uint8_t data[DISK_SIZE + 4 * GRAIN];
	_cleanup_error_ struct error err = {0};

	if (read_image(image, way, data, &err) == 0)
		fail_msg("not refused: %s", message);
	if (!strstr(error_text(&err), message))
		fail_msg("'%s' does not say '%s'", error_text(&err), message);
}

static void a_sparse_image_reads_well(void **state)
{
	struct vmdk_image image;

	(void)state;
	vmdk_image_sparse(&image);
	assert_reads_well(&image, AS_FILE);
}

static void a_stream_optimized_image_reads_well_as_a_file_and_as_a_stream(void **state)
{
	struct vmdk_image image;

	(void)state;
	vmdk_image_stream(&image);
	assert_reads_well(&image, AS_FILE);
	assert_reads_well(&image, AS_STREAM);
	vmdk_image_qemu_stream(&image);
	assert_reads_well(&image, AS_FILE);
	assert_reads_well(&image, AS_STREAM);
}

static void a_file_with_padding_behind_its_end_is_read_in_order(void **state)
{
	_cleanup_source_ struct source *source = NULL;
	struct vmdk_image image;

	(void)state;
	vmdk_image_stream(&image);
	image.length += 2 * (size_t)SECTOR;
	assert_reads_well(&image, AS_FILE);
	assert_int_equal(vmdk_image_open(&image, &source, NULL), 0);
	assert_true(source->is_stream);
	assert_int_equal(source_check(source, NULL), 0);
}

static void an_image_that_was_not_closed_is_read_and_says_so(void **state)
{
	_cleanup_source_ struct source *source = NULL;
	struct vmdk_image image;
	json_object *out;

	(void)state;
	vmdk_image_sparse(&image);
	image.bytes[UNCLEAN] = 1;
	assert_reads_well(&image, AS_FILE);
	assert_int_equal(vmdk_image_open(&image, &source, NULL), 0);
	out = source_describe(source);
	assert_true(json_object_get_boolean(json_object_object_get(out, "dirty")));
	json_object_put(out);
}

static void an_entry_of_1_is_zeroes_where_the_header_says_so(void **state)
{
	static uint8_t data[DISK_SIZE + 4 * GRAIN];
	struct vmdk_image image;

	(void)state;
	vmdk_image_sparse(&image);
	put_le32(&image, image.table_at[0], 1);
	assert_refused(&image, AS_FILE,
		       "image is corrupt: the grain for disk offset 0 is at file offset 512, where "
		       "the header, the descriptor or the grain directory is");
	put_le32(&image, FLAGS, 7);
	assert_int_equal(read_image(&image, AS_FILE, data, NULL), 0);
	assert_true(data[0] == 0 && data[7] == 0 && data[GRAIN + 1] == 2);
}

static void the_last_grain_may_be_cut_off_with_the_disk(void **state)
{
	struct vmdk_image image;

	(void)state;
	vmdk_image_sparse(&image);
	image.length -= GRAIN - 2 * (size_t)SECTOR;
	assert_reads_well(&image, AS_FILE);
	image.length -= 1;
	assert_refused(&image, AS_FILE, "image is truncated: grain of 1024 bytes");
}

static void progress_markers_are_passed_over(void **state)
{
	struct vmdk_image image;
	size_t at;

	(void)state;
	vmdk_image_stream(&image);
	at = image.grain_at[3];
	memmove(image.bytes + at + SECTOR, image.bytes + at, image.length - at);
	memset(image.bytes + at, 0, SECTOR);
	put_marker(&image, at, 0, 0, 4);
	image.length += SECTOR;
	assert_reads_well(&image, AS_STREAM);
}

static void a_snapshot_cannot_be_asked_for(void **state)
{
	const struct source_options options = {.snapshot = "before"};
	_cleanup_error_ struct error err = {0};
	struct stream_file stream;
	struct vmdk_image image;
	struct source *source;

	(void)state;
	vmdk_image_stream(&image);
	stream = (struct stream_file){image.bytes, image.length};
	assert_int_equal(source_open_ops("image", &source_vmdk_ops,
					 stream_file_open(&stream, "image"), &options, &source,
					 &err),
			 -1);
	assert_string_equal(error_text(&err), "open image image: snapshot 'before': snapshots are "
					      "read from qcow2 images only, and this is vmdk");
}

/* Cut anywhere, it is refused with a sentence; only the padding of the last sector may go. */
static void assert_every_cut_is_refused(struct vmdk_image *image, enum way way, size_t needed)
{
	static uint8_t data[DISK_SIZE + 4 * GRAIN];

	for (size_t length = 1; length < needed; length += length < SECTOR ? 7 : 97) {
		_cleanup_error_ struct error err = {0};

		image->length = length;
		if (read_image(image, way, data, &err) == 0)
			fail_msg("not refused when cut to %zu bytes", length);
		if (!strstr(error_text(&err), "image is truncated"))
			fail_msg("cut to %zu bytes: %s", length, error_text(&err));
	}
}

static void an_image_that_is_cut_anywhere_is_refused(void **state)
{
	struct vmdk_image image;

	(void)state;
	vmdk_image_sparse(&image);
	assert_every_cut_is_refused(&image, AS_FILE, image.length - GRAIN + 2 * (size_t)SECTOR);
	vmdk_image_stream(&image);
	assert_every_cut_is_refused(&image, AS_FILE, image.length);
	vmdk_image_stream(&image);
	assert_every_cut_is_refused(&image, AS_STREAM, image.length);
	vmdk_image_qemu_stream(&image);
	assert_every_cut_is_refused(&image, AS_STREAM, image.length);
}

/* Where the header is changed, the footer is as well: it counts for files. */
static void put_both32(struct vmdk_image *image, size_t field, uint32_t value)
{
	put_le32(image, field, value);
	if (image->footer_at)
		put_le32(image, image->footer_at + field, value);
}

static void put_both64(struct vmdk_image *image, size_t field, uint64_t value)
{
	put_le64(image, field, value);
	if (image->footer_at)
		put_le64(image, image->footer_at + field, value);
}

/* Fields of the header that no reader may believe. */
static const struct hostile_field {
	size_t field, width;
	uint64_t value;
	const char *message;
} fields[] = {
	{0, 4, 0x564d4b44, "this is not a sparse VMDK image (its header lacks the signature)"},
	{VERSION, 4, 0, "VMDK version 0 is not supported (1 to 3 are)"},
	{VERSION, 4, 4, "VMDK version 4 is not supported (1 to 3 are)"},
	{FLAGS, 4, 0x100001, "the image uses a feature that is not known here (flags 0x100000)"},
	{FLAGS, 4, 0x10001, "the image has compressed grains without markers"},
	{FLAGS, 4, 1, "its compression method 1 and its flags 0x1 contradict each other"},
	{COMPRESSION, 1, 2, "the image has an unknown compression method 2"},
	{NEWLINES, 4, 0x0a0a200a, "image is corrupt: its line ends were changed"},
	{CAPACITY, 8, 0, "the disk in this image has a size of 0"},
	{CAPACITY, 8, UINT64_MAX, "a disk of 18446744073709551615 sectors is more than"},
	{CAPACITY, 8, 1ULL << 40, "a disk of 1099511627776 sectors is more than grains of 4096"},
	{GRAIN_SIZE, 8, 0, "its grain size is 0 sectors"},
	{GRAIN_SIZE, 8, 9, "its grain size is 9 sectors"},
	{GRAIN_SIZE, 8, 4096, "its grain size is 4096 sectors"},
	{GRAIN_SIZE, 8, 1ULL << 55, "its grain size is 36028797018963968 sectors"},
	{TABLE_SIZE, 4, 0, "its grain tables have 0 entries"},
	{TABLE_SIZE, 4, 500, "its grain tables have 500 entries"},
	{TABLE_SIZE, 4, 64, "its grain tables have 64 entries"},
	{TABLE_SIZE, 4, 1U << 31, "its grain tables have 2147483648 entries"},
	{DESCRIPTOR_AT, 8, 0, "this is one part of a VMDK image, whose descriptor is another file"},
	{DESCRIPTOR_AT, 8, 1ULL << 54, "is not in the first 64 KiB"},
	{DESCRIPTOR_SIZE, 8, UINT64_MAX, "is not in the first 64 KiB"},
	{DESCRIPTOR_SIZE, 8, 1000, "is not in the first 64 KiB"},
};

static void put_field(struct vmdk_image *image, const struct hostile_field *field)
{
	if (field->width == 1)
		image->bytes[field->field] = (uint8_t)field->value;
	else if (field->width == 4)
		put_both32(image, field->field, (uint32_t)field->value);
	else
		put_both64(image, field->field, field->value);
}

static void absurd_fields_of_the_header_are_refused(void **state)
{
	struct vmdk_image image;

	(void)state;
	for (size_t i = 0; i < array_length(fields); i++) {
		vmdk_image_stream(&image);
		put_field(&image, &fields[i]);
		assert_refused(&image, AS_STREAM, fields[i].message);
		assert_refused(&image, AS_FILE, fields[i].message);
	}
}

static void a_sparse_image_without_a_directory_is_refused(void **state)
{
	struct vmdk_image image;

	(void)state;
	vmdk_image_sparse(&image);
	put_le64(&image, DIRECTORY_AT, UINT64_MAX);
	assert_refused(&image, AS_FILE, "image is corrupt: it has no grain directory");
}

static void a_sparse_image_as_a_stream_is_refused(void **state)
{
	struct vmdk_image image;

	(void)state;
	vmdk_image_sparse(&image);
	assert_refused(&image, AS_STREAM,
		       "a VMDK of the kind monolithicSparse is read at many places, which image "
		       "does not allow: name a file or a URL of a server that knows ranges");
}

static void a_footer_that_names_no_directory_is_refused(void **state)
{
	struct vmdk_image image;

	(void)state;
	vmdk_image_stream(&image);
	put_le64(&image, image.footer_at + DIRECTORY_AT, UINT64_MAX);
	assert_refused(&image, AS_FILE, "its footer does not say where the grain directory is");
	vmdk_image_stream(&image);
	image.bytes[image.footer_at] = 'X';
	assert_refused(&image, AS_FILE, "(its footer lacks the signature)");
}

/* Where the tables of a file lead. */
static void tables_that_lead_astray_are_refused(void **state)
{
	static const struct {
		enum { DIRECTORY, DIRECTORY_ENTRY, TABLE_ENTRY } what;
		uint64_t sector;
		const char *message;
	} cases[] = {
		{DIRECTORY, 1ULL << 60, "image is truncated: grain directory of 52 bytes"},
		{DIRECTORY, 10000, "image is truncated: grain directory of 52 bytes"},
		{DIRECTORY, 0, "its grain directory is at file offset 0, where the header"},
		{DIRECTORY, 2, "its grain directory is at file offset 1024, where the header"},
		{DIRECTORY_ENTRY, UINT32_MAX, "image is truncated: grain table of 512 bytes"},
		{DIRECTORY_ENTRY, 3, "the grain table for disk offset 524288 is at file offset"},
		{DIRECTORY_ENTRY, 1, "the grain table for disk offset 524288 is at file offset"},
		{TABLE_ENTRY, UINT32_MAX, "image is truncated: grain of 4096 bytes"},
		{TABLE_ENTRY, 3, "the grain for disk offset 532480 is at file offset 1536, where"},
		{TABLE_ENTRY, 2, "the grain for disk offset 532480 is at file offset 1024, where"},
	};
	struct vmdk_image image;

	(void)state;
	for (size_t i = 0; i < array_length(cases); i++) {
		vmdk_image_sparse(&image);
		if (cases[i].what == DIRECTORY)
			put_le64(&image, DIRECTORY_AT, cases[i].sector);
		else if (cases[i].what == DIRECTORY_ENTRY)
			put_le32(&image, image.directory_at + 4, (uint32_t)cases[i].sector);
		else
			put_le32(&image, image.table_at[1] + 8, (uint32_t)cases[i].sector);
		assert_refused(&image, AS_FILE, cases[i].message);
	}
}

static void a_damaged_entry_is_an_error_of_its_own_grain_only(void **state)
{
	_cleanup_source_ struct source *source = NULL;
	_cleanup_error_ struct error err = {0};
	uint8_t data[2 * GRAIN];
	struct vmdk_image image;
	struct extent extent;

	(void)state;
	vmdk_image_sparse(&image);
	put_le32(&image, image.table_at[0] + 4, UINT32_MAX);
	assert_int_equal(vmdk_image_open(&image, &source, NULL), 0);
	assert_int_equal(source_extent(source, 0, DISK_SIZE, &extent, NULL), 0);
	assert_int_equal(extent.length, GRAIN);
	assert_int_equal(source_read(source, data, GRAIN, 0, NULL), 0);
	assert_int_equal(source_read(source, data, 2 * GRAIN, 0, &err), -1);
	assert_int_equal(source_check(source, NULL), -1);
}

static void damage_deflate(struct vmdk_image *image)
{
	memset(image->bytes + image->grain_at[2] + 20, 0xff, 8);
}

/* A megabyte of zeroes packed into a few bytes. */
static void put_bomb(struct vmdk_image *image)
{
	struct libdeflate_compressor *deflate = libdeflate_alloc_compressor(6);
	static const uint8_t zeroes[1 << 20];
	uint8_t packed[4096];
	size_t got =
		libdeflate_zlib_compress(deflate, zeroes, sizeof(zeroes), packed, sizeof(packed));
	size_t at = image->grain_at[2];

	libdeflate_free_compressor(deflate);
	assert_true(got > 0 && at + 12 + got < image->tables_marker_at);
	memcpy(image->bytes + at + 12, packed, got);
	put_le32(image, at + 8, (uint32_t)got);
}

static void put_short_grain(struct vmdk_image *image)
{
	size_t next = image->length;

	image->length = image->grain_at[2];
	add_packed_grain(image, vmdk_image_grains[2], image->bytes, GRAIN / 2);
	image->length = next;
}

static void put_absurd_length(struct vmdk_image *image)
{
	put_le32(image, image->grain_at[2] + 8, UINT32_MAX);
}

static void put_length_into_the_next(struct vmdk_image *image)
{
	put_le32(image, image->grain_at[0] + 8, 2 * GRAIN);
}

static void put_wrong_place(struct vmdk_image *image)
{
	put_le64(image, image->grain_at[2], 131 * 8);
}

static void put_place_beyond_the_disk(struct vmdk_image *image)
{
	put_le64(image, image->grain_at[2], DISK_SECTORS);
}

static void put_place_that_overflows(struct vmdk_image *image)
{
	put_le64(image, image->grain_at[2], 1ULL << 55);
}

static void put_odd_place(struct vmdk_image *image)
{
	put_le64(image, image->grain_at[2], 130 * 8 + 1);
}

static void put_earlier_place(struct vmdk_image *image)
{
	put_le64(image, image->grain_at[2], 8);
}

static void put_absurd_marker(struct vmdk_image *image)
{
	put_le64(image, image->tables_marker_at, UINT64_MAX);
}

static void put_unknown_marker(struct vmdk_image *image)
{
	put_le32(image, image->tables_marker_at + 12, 99);
}

static void put_early_end(struct vmdk_image *image)
{
	memset(image->bytes + image->grain_at[2], 0, SECTOR);
}

/* A file is read by its tables, a stream by its markers; NULL: it does not concern the one. */
static const struct {
	void (*damage)(struct vmdk_image *image);
	const char *as_file, *as_stream;
} grain_cases[] = {
	{damage_deflate,
	 "disk offset 532480: image is corrupt: unpack compressed grain at file "
	 "offset",
	 "the zlib stream is damaged"},
	{put_bomb, "it is longer than a grain", "it is longer than a grain"},
	{put_short_grain, "it is shorter than a grain", "it is shorter than a grain"},
	{put_absurd_length, "it is longer than the place it has in the file",
	 "has a length of 4294967295 bytes"},
	{put_length_into_the_next, "it is longer than the place it has in the file", NULL},
	{put_wrong_place, "its marker says that it belongs elsewhere", NULL},
	{put_place_beyond_the_disk, "its marker says that it belongs elsewhere",
	 "belongs to sector 12290 of the disk, where none can be"},
	{put_place_that_overflows, "its marker says that it belongs elsewhere",
	 "belongs to sector 36028797018963968 of the disk, where none can be"},
	{put_odd_place, "its marker says that it belongs elsewhere",
	 "belongs to sector 1041 of the disk, where none can be"},
	{put_earlier_place, "its marker says that it belongs elsewhere",
	 "belongs to disk offset 4096, before the one that precedes it: such an image cannot be "
	 "read as a stream"},
	{put_absurd_marker, NULL, "is of type 1 and says that 18446744073709551615 sectors follow"},
	{put_unknown_marker, NULL, "is of type 99 and says that 13 sectors follow"},
	{put_early_end, "its marker says that it belongs elsewhere", NULL},
};

static void grains_and_markers_that_lie_are_refused(void **state)
{
	struct vmdk_image image;

	(void)state;
	for (size_t i = 0; i < array_length(grain_cases); i++) {
		vmdk_image_stream(&image);
		grain_cases[i].damage(&image);
		if (grain_cases[i].as_file)
			assert_refused(&image, AS_FILE, grain_cases[i].as_file);
		if (grain_cases[i].as_stream)
			assert_refused(&image, AS_STREAM, grain_cases[i].as_stream);
	}
}

static void a_stream_with_fewer_grains_than_its_tables_name_is_refused(void **state)
{
	struct vmdk_image image;

	(void)state;
	vmdk_image_qemu_stream(&image);
	put_early_end(&image);
	assert_refused(&image, AS_STREAM,
		       "image is truncated: it ends after 2 grains, its tables name 6");
}

static void tables_that_a_stream_has_passed_are_refused(void **state)
{
	struct vmdk_image image;

	(void)state;
	vmdk_image_qemu_stream(&image);
	put_le32(&image, image.directory_at + 4, 4);
	assert_refused(&image, AS_STREAM,
		       "the grain table at file offset 2048 is not where a stream needs it: use "
		       "the image as a file");
	vmdk_image_stream(&image);
	put_le64(&image, OVERHEAD, 0);
	assert_refused(&image, AS_STREAM, "image is corrupt: its data begins at file offset 0");
}

static void more_than_padding_behind_the_end_is_refused(void **state)
{
	const size_t length = 3 << 20;
	_cleanup_source_ struct source *source = NULL;
	_cleanup_free_ uint8_t *bytes = calloc(1, length);
	_cleanup_free_ uint8_t *data = malloc(DISK_SIZE + 4 * GRAIN);
	_cleanup_error_ struct error err = {0};
	struct stream_file stream = {bytes, length};
	struct vmdk_image image;

	(void)state;
	vmdk_image_stream(&image);
	memcpy(bytes, image.bytes, image.length);
	assert_int_equal(source_open_ops("image", &source_vmdk_ops,
					 stream_file_open(&stream, "image"), NULL, &source, &err),
			 0);
	assert_int_equal(read_stream(source, data, &err), -1);
	assert_non_null(strstr(error_text(&err), "more than 1 MiB follows the end of the image"));
}

#define BEGIN "version=1\nCID=1\nparentCID=ffffffff\n"

static const struct {
	const char *text, *message;
} descriptors[] = {
	{BEGIN "createType=\"monolithicSparse\"\nRW 1 SPARSE \"../../etc/shadow\"\n",
	 "this VMDK's data is in other files (../../etc/shadow), which is not supported yet"},
	{BEGIN "createType=\"monolithicSparse\"\nRW 1 SPARSE \"/etc/shadow\"\n",
	 "this VMDK's data is in other files (/etc/shadow)"},
	{BEGIN "createType=\"monolithicSparse\"\nRW 1 SPARSE \"nbd:localhost\"\n",
	 "this VMDK's data is in other files (nbd:localhost)"},
	{BEGIN "createType=\"monolithicSparse\"\nRW 1 FLAT \"\\\\.\\PhysicalDrive0\" 0\n",
	 "this VMDK's data is in other files (\\\\.\\PhysicalDrive0)"},
	{BEGIN "createType=\"streamOptimized\"\nRW 1 SPARSE \"a.vmdk\"\nRW 1 SPARSE \"b.vmdk\"\n",
	 "this VMDK's data is in other files (a.vmdk, b.vmdk)"},
	{BEGIN "createType=\"streamOptimized\"\nRW 1 ZERO\n",
	 "this VMDK's data is in other files (no name)"},
	{BEGIN "createType=\"twoGbMaxExtentSparse\"\n",
	 "this VMDK is of the kind twoGbMaxExtentSparse, which is not supported yet"},
	{BEGIN, "image is corrupt: its descriptor has no createType"},
	{"", "image is corrupt: its descriptor has no createType"},
	{"parentCID=1234abcd\ncreateType=\"monolithicSparse\"\n",
	 "the image holds only the differences to a parent (with the content ID 1234abcd)"},
	{BEGIN "createType=\"monolithicSparse\"\nparentFileNameHint=\"/etc/shadow\"\n",
	 "the image holds only the differences to its parent /etc/shadow, which is not opened"},
	{BEGIN "encryption.keySafe = \"vmware:key/list\"\ncreateType=\"monolithicSparse\"\n",
	 "the image is encrypted, which is not supported: export it without encryption first"},
};

static void descriptors_that_lead_elsewhere_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_length(descriptors); i++) {
		_cleanup_error_ struct error err = {0};
		_cleanup_free_ char *type = NULL;

		assert_int_equal(vmdk_descriptor_parse(descriptors[i].text, &type, &err), -1);
		if (!strstr(error_text(&err), descriptors[i].message))
			fail_msg("'%s' does not say '%s'", error_text(&err),
				 descriptors[i].message);
	}
}

static void descriptors_are_read_as_people_write_them(void **state)
{
	static const char *const texts[] = {
		VMDK_DESCRIPTOR("streamOptimized", ""),
		"# x\r\ncreatetype = \"STREAMOPTIMIZED\"\r\nRDONLY 5 SPARSE \"call me.vmdk\"\r\n",
		"createType=streamOptimized\nparentCID = FFFFFFFF\n",
	};

	(void)state;
	for (size_t i = 0; i < array_length(texts); i++) {
		_cleanup_error_ struct error err = {0};
		_cleanup_free_ char *type = NULL;

		if (vmdk_descriptor_parse(texts[i], &type, &err) < 0)
			fail_msg("%s", error_text(&err));
		assert_int_equal(strcasecmp(type, "streamOptimized"), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sparse_image_reads_well),
		cmocka_unit_test(a_stream_optimized_image_reads_well_as_a_file_and_as_a_stream),
		cmocka_unit_test(a_file_with_padding_behind_its_end_is_read_in_order),
		cmocka_unit_test(an_image_that_was_not_closed_is_read_and_says_so),
		cmocka_unit_test(an_entry_of_1_is_zeroes_where_the_header_says_so),
		cmocka_unit_test(the_last_grain_may_be_cut_off_with_the_disk),
		cmocka_unit_test(progress_markers_are_passed_over),
		cmocka_unit_test(a_snapshot_cannot_be_asked_for),
		cmocka_unit_test(an_image_that_is_cut_anywhere_is_refused),
		cmocka_unit_test(absurd_fields_of_the_header_are_refused),
		cmocka_unit_test(a_sparse_image_without_a_directory_is_refused),
		cmocka_unit_test(a_sparse_image_as_a_stream_is_refused),
		cmocka_unit_test(a_footer_that_names_no_directory_is_refused),
		cmocka_unit_test(tables_that_lead_astray_are_refused),
		cmocka_unit_test(a_damaged_entry_is_an_error_of_its_own_grain_only),
		cmocka_unit_test(grains_and_markers_that_lie_are_refused),
		cmocka_unit_test(a_stream_with_fewer_grains_than_its_tables_name_is_refused),
		cmocka_unit_test(tables_that_a_stream_has_passed_are_refused),
		cmocka_unit_test(more_than_padding_behind_the_end_is_refused),
		cmocka_unit_test(descriptors_that_lead_elsewhere_are_refused),
		cmocka_unit_test(descriptors_are_read_as_people_write_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
