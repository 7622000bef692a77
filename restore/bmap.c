// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/bmap.h"

#include <errno.h>
#include <inttypes.h>
#include <libxml/xmlreader.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "base/text.h"

enum { VALUE_LIMIT = 256, NAME_LIMIT = 32 };

/* What is gathered while the document is read. */
struct parse {
	struct bmap map;
	uint64_t block_size, blocks;
	char element[NAME_LIMIT]; /* that the text belongs to */
	char value[VALUE_LIMIT];
	char type[VALUE_LIMIT], own_sum[VALUE_LIMIT], sum[VALUE_LIMIT]; /* "": none */
	const char *problem;                                            /* libxml2's, or NULL */
};

static void reader_freep(xmlTextReaderPtr *reader)
{
	xmlFreeTextReader(*reader);
}

/* libxml2 would print it. */
static void keep_quiet(void *context, xmlErrorPtr problem)
{
	(void)context;
	(void)problem;
}

static int parse_number(const char *text, const char *what, uint64_t *out, struct error *err)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != '\0' || errno != 0)
		return error_set(err, "its %s '%s' is no number", what, text);
	return 0;
}

void bmap_add(struct bmap *map, const struct bmap_range *range)
{
	if ((map->count & (map->count - 1)) == 0) {
		size_t room = map->count ? map->count * 2 : 1;

		map->range = reallocarray(map->range, room, sizeof(*map->range));
		if (!map->range)
			abort();
	}
	map->range[map->count++] = *range;
}

/* "17" or "17-23". */
static int parse_blocks(char *text, uint64_t *first, uint64_t *last, struct error *err)
{
	char *dash = strchr(text, '-');

	if (dash)
		*dash = '\0';
	if (parse_number(string_trim(text), "block", first, err) < 0)
		return -1;
	*last = *first;
	return dash ? parse_number(string_trim(dash + 1), "block", last, err) : 0;
}

static int add_range(struct parse *parse, struct error *err)
{
	struct bmap *map = &parse->map;
	struct bmap_range range;
	uint64_t first, last;

	if (parse_blocks(parse->value, &first, &last, err) < 0)
		return -1;
	if (parse->blocks == 0)
		return error_set(err, "it does not say how large the image is");
	if (first > last || last >= parse->blocks ||
	    (map->count > 0 && first * parse->block_size < map->range[map->count - 1].end))
		return error_set(err,
				 "its range %" PRIu64 "-%" PRIu64 " lies behind the image's "
				 "end or is out of order",
				 first, last);
	if (!sha256_parse(string_trim(parse->sum), range.sum))
		return error_set(err, "its range %" PRIu64 "-%" PRIu64 " has no SHA-256 checksum",
				 first, last);
	range.offset = first * parse->block_size;
	range.end = (last + 1) * parse->block_size;
	if (range.end > map->size)
		range.end = map->size;
	bmap_add(map, &range);
	return 0;
}

/* Every place of the disk can be counted in bytes afterwards. */
static int check_geometry(struct parse *parse, struct error *err)
{
	uint64_t size = parse->map.size;

	if (size == 0 || parse->block_size == 0)
		return 0;
	if (size > INT64_MAX || parse->block_size > (1 << 30))
		return error_set(err, "its image or its blocks are larger than any");
	parse->blocks = (size + parse->block_size - 1) / parse->block_size;
	return 0;
}

/* An element is at its end; value is its text. */
static int take_value(struct parse *parse, struct error *err)
{
	const char *value = string_trim(parse->value);
	int r = 0;

	if (string_equal(parse->element, "Range"))
		return add_range(parse, err);
	if (string_equal(parse->element, "ImageSize"))
		r = parse_number(value, "image size", &parse->map.size, err);
	else if (string_equal(parse->element, "BlockSize"))
		r = parse_number(value, "block size", &parse->block_size, err);
	else if (string_equal(parse->element, "ChecksumType"))
		snprintf(parse->type, sizeof(parse->type), "%s", value);
	else if (string_equal(parse->element, "BmapFileChecksum"))
		snprintf(parse->own_sum, sizeof(parse->own_sum), "%s", value);
	return r < 0 ? -1 : check_geometry(parse, err);
}

static void begin_element(struct parse *parse, xmlTextReaderPtr reader)
{
	xmlChar *sum = xmlTextReaderGetAttribute(reader, BAD_CAST "chksum");

	snprintf(parse->element, sizeof(parse->element), "%s",
		 (const char *)xmlTextReaderConstName(reader));
	snprintf(parse->sum, sizeof(parse->sum), "%s", sum ? (const char *)sum : "");
	*parse->value = '\0';
	xmlFree(sum);
}

static int add_text(struct parse *parse, xmlTextReaderPtr reader, struct error *err)
{
	const char *text = (const char *)xmlTextReaderConstValue(reader);
	size_t length = strlen(parse->value);

	if (!text || !*parse->element)
		return 0;
	if (strlen(text) >= sizeof(parse->value) - length)
		return error_set(err, "its element %s is too long", parse->element);
	strcpy(parse->value + length, text);
	return 0;
}

static int take_node(struct parse *parse, xmlTextReaderPtr reader, struct error *err)
{
	switch (xmlTextReaderNodeType(reader)) {
	case XML_READER_TYPE_ELEMENT:
		begin_element(parse, reader);
		return 0;
	case XML_READER_TYPE_TEXT:
	case XML_READER_TYPE_SIGNIFICANT_WHITESPACE:
		return add_text(parse, reader, err);
	case XML_READER_TYPE_END_ELEMENT:
		if (*parse->element && take_value(parse, err) < 0)
			return -1;
		*parse->element = '\0';
		return 0;
	case XML_READER_TYPE_DOCUMENT_TYPE:
	case XML_READER_TYPE_ENTITY_REFERENCE:
		return error_set(err, "it has a document type or entities, which no block map has");
	default:
		return 0;
	}
}

static int read_document(struct parse *parse, const char *text, size_t length, struct error *err)
{
	_cleanup_(reader_freep) xmlTextReaderPtr reader =
		xmlReaderForMemory(text, (int)length, NULL, NULL, XML_PARSE_NONET);
	int r;

	if (!reader)
		return error_set(err, "libxml2 cannot read it");
	xmlTextReaderSetStructuredErrorHandler(reader, keep_quiet, NULL);
	while ((r = xmlTextReaderRead(reader)) == 1)
		if (take_node(parse, reader, err) < 0)
			return -1;
	return r == 0 ? 0 : error_set(err, "it is no well-formed XML");
}

/* The map's own checksum was made with zeroes in its place. */
static int check_itself(const struct parse *parse, const char *text, size_t length,
			struct error *err)
{
	_cleanup_free_ char *copy = string_copy(text);
	uint8_t promised[SHA256_LENGTH], found[SHA256_LENGTH];
	char *at = strstr(copy, parse->own_sum);

	if (!sha256_parse(parse->own_sum, promised) || !at)
		return error_set(err, "it has no SHA-256 checksum of itself");
	memset(at, '0', strlen(parse->own_sum));
	if (sha256_of(copy, length, found, err) < 0)
		return -1;
	if (memcmp(promised, found, sizeof(promised)) != 0)
		return error_set(err, "it was changed: its checksum of itself is wrong");
	return 0;
}

bool bmap_is_one(const char *text)
{
	text += strspn(text, " \t\r\n");
	return has_prefix(text, "<?xml") || has_prefix(text, "<bmap");
}

int bmap_parse(const char *text, size_t length, struct bmap *out, struct error *err)
{
	struct parse parse = {0};
	int r = 0;

	if (length > BMAP_LIMIT || strlen(text) != length)
		return error_set(err, "it is larger than any block map, or no text");
	r = read_document(&parse, text, length, err);
	if (r == 0 && !string_equal(parse.type, "sha256"))
		r = error_set(err,
			      "its checksums are of the kind '%s', and only sha256 is known: "
			      "make it with bmaptool 3.0 or later",
			      parse.type);
	if (r == 0)
		r = check_itself(&parse, text, length, err);
	if (r == 0 && parse.map.count == 0)
		r = error_set(err, "it has no range with a checksum");
	if (r < 0)
		bmap_release(&parse.map);
	*out = parse.map;
	return r;
}

void bmap_release(struct bmap *map)
{
	free(map->range);
	*map = (struct bmap){0};
}

static int add_zeroes(struct image_digest *digest, uint64_t length, struct error *err)
{
	static const uint8_t zeroes[65536];

	while (length > 0) {
		size_t piece = length < sizeof(zeroes) ? (size_t)length : sizeof(zeroes);

		if (image_digest_add(digest, zeroes, piece, err) < 0)
			return -1;
		length -= piece;
	}
	return 0;
}

int bmap_broken(const struct bmap_range *range, struct error *err)
{
	return error_set(err,
			 "the image is not what its block map promises: its bytes %" PRIu64
			 " to %" PRIu64 " have another checksum",
			 range->offset, range->end);
}

static int end_range(struct bmap_check *check, struct error *err)
{
	const struct bmap_range *range = &check->map.range[check->current++];
	uint8_t found[IMAGE_DIGEST_MAX];
	int r = image_digest_end(check->digest, IMAGE_DIGEST_SHA256, found, err);

	image_digest_free(steal(&check->digest));
	if (r < 0)
		return -1;
	if (memcmp(range->sum, found, SHA256_LENGTH) != 0)
		return bmap_broken(range, err);
	return 0;
}

int bmap_check_add(struct bmap_check *check, const uint8_t *data, uint64_t length,
		   struct error *err)
{
	uint64_t end = check->position + length;

	while (check->position < end && check->current < check->map.count) {
		const struct bmap_range *range = &check->map.range[check->current];
		uint64_t until = range->end < end ? range->end : end;
		uint64_t skip =
			range->offset > check->position ? range->offset - check->position : 0;

		if (skip >= end - check->position)
			break;
		check->position += skip;
		data = data ? data + skip : NULL;
		if (!check->digest && image_digest_new(IMAGE_DIGEST_SET(IMAGE_DIGEST_SHA256),
						       &check->digest, err) < 0)
			return -1;
		if ((data ? image_digest_add(check->digest, data, until - check->position, err)
			  : add_zeroes(check->digest, until - check->position, err)) < 0)
			return -1;
		data = data ? data + (until - check->position) : NULL;
		check->position = until;
		if (until == range->end && end_range(check, err) < 0)
			return -1;
	}
	check->position = end;
	return 0;
}

int bmap_check_end(struct bmap_check *check, struct error *err)
{
	if (check->position != check->map.size || check->current < check->map.count)
		return error_set(err,
				 "the image has %" PRIu64
				 " bytes, and its block map is of one with "
				 "%" PRIu64,
				 check->position, check->map.size);
	return 0;
}

void bmap_check_release(struct bmap_check *check)
{
	image_digest_free(check->digest);
	bmap_release(&check->map);
	*check = (struct bmap_check){0};
}
