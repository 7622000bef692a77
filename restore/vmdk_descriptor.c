// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The embedded descriptor. Its one extent is the file that it is in, whatever name stands there:
 * images are renamed. No file that it names is ever opened.
 */
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "base/scope.h"
#include "base/text.h"
#include "restore/vmdk.h"

struct descriptor {
	struct strings lines;
	struct strings extents; /* "name" of each */
	bool has_foreign_extents;
	const char *create_type; /* within lines, as the others are; NULL: not there */
	const char *parent_id, *parent_name, *encryption;
};

static void descriptor_release(struct descriptor *descriptor)
{
	strings_release(&descriptor->lines);
	strings_release(&descriptor->extents);
}

static bool is_extent(const char *line)
{
	static const char *const access[] = {"RW ", "RDONLY ", "NOACCESS "};

	for (size_t i = 0; i < array_length(access); i++)
		if (strncasecmp(line, access[i], strlen(access[i])) == 0)
			return true;
	return false;
}

/* What is between the first and the last quotation mark, in place; NULL where there are none. */
static char *unquote(char *string)
{
	char *first = strchr(string, '"'), *last = strrchr(string, '"');

	if (!first || first == last)
		return NULL;
	*last = '\0';
	return first + 1;
}

/* RW 20480 SPARSE "name.vmdk" */
static void take_extent(struct descriptor *descriptor, char *line)
{
	_cleanup_strings_ struct strings words = {0};
	const char *name;

	strings_split(&words, line, " \t");
	name = unquote(line);
	if (words.count < 4 || strcasecmp(words.item[2], "SPARSE") != 0 || !name ||
	    strpbrk(name, "/\\:") || string_equal(name, ".."))
		descriptor->has_foreign_extents = true;
	strings_add(&descriptor->extents, name ? name : "no name");
}

/* key = "value", in whatever case. */
static void take_setting(struct descriptor *descriptor, char *line)
{
	char *equals = strchr(line, '='), *value, *unquoted;
	const struct {
		const char *key;
		const char **value;
	} known[] = {
		{"createType", &descriptor->create_type},
		{"parentCID", &descriptor->parent_id},
		{"parentFileNameHint", &descriptor->parent_name},
		{"encryption.keySafe", &descriptor->encryption},
		{"encryption.data", &descriptor->encryption},
	};

	if (!equals)
		return;
	*equals = '\0';
	line = string_trim(line);
	value = string_trim(equals + 1);
	unquoted = unquote(value);
	for (size_t i = 0; i < array_length(known); i++)
		if (strcasecmp(line, known[i].key) == 0)
			*known[i].value = unquoted ? unquoted : value;
}

static void descriptor_init(struct descriptor *descriptor, const char *text)
{
	*descriptor = (struct descriptor){0};
	strings_split(&descriptor->lines, text, "\r\n");
	for (size_t i = 0; i < descriptor->lines.count; i++) {
		char *line = string_trim(descriptor->lines.item[i]);

		if (is_extent(line))
			take_extent(descriptor, line);
		else if (*line != '#')
			take_setting(descriptor, line);
	}
}

static int refuse_extents(const struct descriptor *descriptor, struct error *err)
{
	_cleanup_free_ char *names = strings_join(&descriptor->extents, ", ");

	return error_set(err,
			 "this VMDK's data is in other files (%.200s), which is not supported yet: "
			 "convert it first with `qemu-img convert -f vmdk -O qcow2`",
			 names);
}

static int check(const struct descriptor *descriptor, struct error *err)
{
	static const char advice[] = "make a complete image first, with `qemu-img convert -f vmdk "
				     "-O qcow2` where all its files are";

	if (descriptor->encryption)
		return error_set(err, "the image is encrypted, which is not supported: export it "
				      "without encryption first");
	if (descriptor->parent_name)
		return error_set(err,
				 "the image holds only the differences to its parent %.200s, which "
				 "is not opened: %s",
				 descriptor->parent_name, advice);
	if (descriptor->parent_id && strcasecmp(descriptor->parent_id, "ffffffff") != 0)
		return error_set(err,
				 "the image holds only the differences to a parent (with the "
				 "content ID %.16s), which is not opened: %s",
				 descriptor->parent_id, advice);
	if (descriptor->extents.count > 1 || descriptor->has_foreign_extents)
		return refuse_extents(descriptor, err);
	if (!descriptor->create_type)
		return error_set(err, "image is corrupt: its descriptor has no createType");
	if (strcasecmp(descriptor->create_type, "monolithicSparse") != 0 &&
	    strcasecmp(descriptor->create_type, "streamOptimized") != 0)
		return error_set(err,
				 "this VMDK is of the kind %.64s, which is not supported yet: "
				 "convert it first with `qemu-img convert -f vmdk -O qcow2`",
				 descriptor->create_type);
	return 0;
}

int vmdk_descriptor_parse(const char *text, char **create_type, struct error *err)
{
	_cleanup_(descriptor_release) struct descriptor descriptor;

	descriptor_init(&descriptor, text);
	if (check(&descriptor, err) < 0)
		return -1;
	*create_type = string_copy(descriptor.create_type);
	return 0;
}

int vmdk_descriptor_read(struct image_file *file, const struct vmdk_header *header,
			 char **create_type, struct error *err)
{
	_cleanup_free_ char *head = malloc(IMAGE_FILE_HEAD + 1);
	uint64_t offset = header->descriptor_offset, length = header->descriptor_length;
	size_t got;

	if (!head)
		abort();
	if (offset == 0 || length == 0)
		return error_set(err, "this is one part of a VMDK image, whose descriptor is "
				      "another file: name that one, or convert it first with "
				      "`qemu-img convert -f vmdk -O qcow2`");
	if (offset > IMAGE_FILE_HEAD || length > IMAGE_FILE_HEAD - offset)
		return error_set(err,
				 "image is corrupt: its descriptor of %" PRIu64
				 " bytes at file offset %" PRIu64 " is not in the first 64 KiB",
				 length, offset);
	if (image_file_peek(file, head, (size_t)(offset + length), &got, err) < 0)
		return -1;
	if (got < offset + length)
		return error_set(err,
				 "image is truncated: the descriptor of %" PRIu64
				 " bytes at file offset %" PRIu64
				 " is missing, the file ends at %zu",
				 length, offset, got);
	head[got] = '\0';
	return vmdk_descriptor_parse(head + offset, create_type, err);
}
