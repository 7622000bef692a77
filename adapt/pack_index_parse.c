// SPDX-License-Identifier: GPL-3.0-or-later
#include <ctype.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>

#include "adapt/pack_index.h"
#include "base/scope.h"

#define KIND(kind) (1U << (kind))

enum {
	ANY_KIND = KIND(PACK_MODULES) | KIND(PACK_PACKAGE) | KIND(PACK_FIRMWARE),
	VALUE_LIMIT = 128, /* characters of a name, a version, a release */
};

/* Letters, digits and these. */
static bool is_made_of(const char *string, const char *others)
{
	for (; *string; string++)
		if (!isalnum((unsigned char)*string) && !strchr(others, *string))
			return false;
	return true;
}

bool pack_is_path(const char *path)
{
	_cleanup_strings_ struct strings parts = {0};

	if (!*path || *path == '/' || strlen(path) > VALUE_LIMIT || strstr(path, "//") ||
	    has_suffix(path, "/") || !is_made_of(path, "._+~%,=@/-"))
		return false;
	strings_split(&parts, path, "/");
	for (size_t i = 0; i < parts.count; i++)
		if (*parts.item[i] == '.')
			return false;
	return true;
}

/* A word that becomes part of messages, paths or arguments: it begins with no "-" and no ".". */
static bool is_word(const char *value, const char *others)
{
	return isalnum((unsigned char)*value) && strlen(value) <= VALUE_LIMIT &&
	       is_made_of(value, others);
}

/* The next word of *rest; "" at its end. */
static char *next_word(char **rest)
{
	char *word;

	*rest += strspn(*rest, " \t");
	word = *rest;
	*rest += strcspn(*rest, " \t");
	if (**rest)
		*(*rest)++ = '\0';
	return word;
}

struct key {
	const char *name;
	unsigned int kinds; /* that have it */
	int (*take)(struct pack_entry *entry, char *value, struct error *err);
};

static int take_file(struct pack_entry *entry, char *value, struct error *err)
{
	const char *sum = next_word(&value), *size = next_word(&value);
	struct pack_file *file = pack_entry_add_file(entry, string_trim(value));
	char *end;

	if (!sha256_parse(sum, file->sum))
		return error_set(err,
				 "file wants a SHA-256, a size and a path: \"%s\" is no "
				 "SHA-256, which has 64 hexadecimal digits",
				 sum);
	file->size = strtoull(size, &end, 10);
	if (!isdigit((unsigned char)*size) || *end || strlen(size) > 12)
		return error_set(err, "\"%s\" is not the size of a file in bytes", size);
	if (!pack_is_path(file->path))
		return error_set(err,
				 "\"%s\" is not the path of a file in a pack: relative, without "
				 "\"..\" and hidden names, of letters, digits and ._+~%%,=@-",
				 file->path);
	return 0;
}

static int take_kernel(struct pack_entry *entry, char *value, struct error *err)
{
	if (!is_made_of(value, "._+~*?[]-") || strchr(value, '/'))
		return error_set(err, "\"%s\" is not a pattern of kernel releases", value);
	strings_add(&entry->kernels, value);
	return 0;
}

static int take_distribution(struct pack_entry *entry, char *value, struct error *err)
{
	char *rest = value;
	_cleanup_free_ char *id = string_copy(next_word(&rest));
	const char *version = string_trim(rest);

	if (!is_word(id, "._-") || !is_made_of(version, "._*?[]-"))
		return error_set(err, "distribution wants the ID of /etc/os-release and maybe a "
				      "pattern of its VERSION_ID: debian 12");
	strings_addf(&entry->distributions, "%s%s%s", id, *version ? " " : "", version);
	return 0;
}

/* Printable, and nothing that could begin a comment when it is written. */
static bool is_pattern(const char *glob)
{
	for (const char *c = glob; *c; c++)
		if (!isgraph((unsigned char)*c) || (unsigned char)*c >= 0x7f || *c == ';')
			return false;
	return isalpha((unsigned char)*glob) && strchr(glob, ':');
}

static int take_modalias(struct pack_entry *entry, char *value, struct error *err)
{
	const char *glob = next_word(&value), *module = string_trim(value);

	if (!is_pattern(glob) || (*module && !is_word(module, "_-.+")))
		return error_set(err, "modalias wants a pattern and maybe the module that drives "
				      "it: pci:v00008086d00002922sv*sd*bc*sc*i* ahci");
	pack_pairs_add(&entry->modaliases, glob, *module ? module : NULL);
	return 0;
}

static int take_modules(struct pack_entry *entry, char *value, struct error *err)
{
	for (const char *word = next_word(&value); *word; word = next_word(&value)) {
		if (!is_word(word, "_-.+"))
			return error_set(err, "\"%s\" is not the name of a module", word);
		strings_add(&entry->modules, word);
	}
	return 0;
}

static int take_wants(struct pack_entry *entry, char *value, struct error *err)
{
	const char *module = next_word(&value), *file = string_trim(value);

	if (!is_word(module, "_-.+") || !pack_is_path(file))
		return error_set(err, "wants-firmware wants a module and a file below "
				      "/lib/firmware: r8169 rtl_nic/rtl8168h-2.fw");
	pack_pairs_add(&entry->wants, module, file);
	return 0;
}

static int take_firmware(struct pack_entry *entry, char *value, struct error *err)
{
	if (!pack_is_path(value))
		return error_set(err, "\"%s\" is not a file below /lib/firmware", value);
	strings_add(&entry->firmware, value);
	return 0;
}

static int take_word(char **field, const char *key, const char *value, struct error *err)
{
	if (*field)
		return error_set(err, "%s is given twice", key);
	if (!is_word(value, "._+~:-"))
		return error_set(err, "%s = %s: that is none", key, value);
	*field = string_copy(value);
	return 0;
}

static int take_architecture(struct pack_entry *entry, char *value, struct error *err)
{
	return take_word(&entry->architecture, "architecture", value, err);
}

static int take_package(struct pack_entry *entry, char *value, struct error *err)
{
	return take_word(&entry->package, "package", value, err);
}

static int take_version(struct pack_entry *entry, char *value, struct error *err)
{
	return take_word(&entry->version, "version", value, err);
}

static int take_release(struct pack_entry *entry, char *value, struct error *err)
{
	return take_word(&entry->release, "brings-kernel", value, err);
}

/* "a (>= 1) | b" of a .deb, "a >= 1" and "/bin/sh" of an .rpm. */
enum { RELATIONS_LIMIT = 4096 };

static int take_relation(struct strings *list, const char *value, struct error *err)
{
	if (!*value || !is_made_of(value, " ._+~:|()<>=/-"))
		return error_set(err, "\"%s\" is no relation between packages", value);
	if (list->count >= RELATIONS_LIMIT)
		return error_set(err, "more than %d relations of one kind", RELATIONS_LIMIT);
	strings_add(list, value);
	return 0;
}

static int take_depends(struct pack_entry *entry, char *value, struct error *err)
{
	return take_relation(&entry->depends, value, err);
}

static int take_provides(struct pack_entry *entry, char *value, struct error *err)
{
	return take_relation(&entry->provides, value, err);
}

static int take_installed_size(struct pack_entry *entry, char *value, struct error *err)
{
	char *end;

	entry->installed_size = strtoull(value, &end, 10);
	if (!isdigit((unsigned char)*value) || *end || strlen(value) > 12)
		return error_set(err, "\"%s\" is not a size in bytes", value);
	return 0;
}

static const struct key keys[] = {
	{"file", ANY_KIND, take_file},
	{"kernel", ANY_KIND, take_kernel},
	{"distribution", ANY_KIND, take_distribution},
	{"architecture", ANY_KIND, take_architecture},
	{"modalias", KIND(PACK_MODULES) | KIND(PACK_PACKAGE), take_modalias},
	{"wants-firmware", KIND(PACK_MODULES) | KIND(PACK_PACKAGE), take_wants},
	{"modules", KIND(PACK_PACKAGE), take_modules},
	{"package", KIND(PACK_PACKAGE), take_package},
	{"version", KIND(PACK_PACKAGE), take_version},
	{"depends", KIND(PACK_PACKAGE), take_depends},
	{"provides", KIND(PACK_PACKAGE), take_provides},
	{"firmware", KIND(PACK_PACKAGE), take_firmware},
	{"brings-kernel", KIND(PACK_PACKAGE), take_release},
	{"installed-size", KIND(PACK_PACKAGE), take_installed_size},
};

struct parse {
	struct pack_index *index;
	struct error *err;
	bool has_format, has_failed;
};

static int take_head(struct parse *parse, const char *name, const char *value)
{
	if (strcmp(name, "format") == 0) {
		parse->has_format = true;
		if (strcmp(value, "1") == 0)
			return 0;
		return error_set(parse->err, "format = %s: this v2p reads format %d", value,
				 PACK_FORMAT);
	}
	if (strcmp(name, "name") != 0)
		return error_set(parse->err,
				 "unknown key %s in [" PACK_INDEX_SECTION "]: it has format, name",
				 name);
	/* A ";" behind a space begins a comment, so that the name would not be read as written. */
	for (const char *c = value; *c; c++)
		if (iscntrl((unsigned char)*c) || *c == ';')
			return error_set(parse->err, "the name has control characters or a \";\"");
	free(parse->index->name);
	parse->index->name = string_copy(value);
	return 0;
}

static int begin_entry(struct parse *parse, const char *label, const char *name, const char *value)
{
	struct pack_index *index = parse->index;
	struct pack_entry *entry;

	if (!parse->has_format)
		return error_set(parse->err,
				 "a pack begins with [" PACK_INDEX_SECTION "] and format = %d",
				 PACK_FORMAT);
	if (!is_word(label, " ._+~:-") || strlen(label) > PACK_LABEL_LIMIT)
		return error_set(parse->err,
				 "[%s] is no label of an entry: at most %d letters, digits, spaces "
				 "and ._+~:-",
				 label, PACK_LABEL_LIMIT);
	for (size_t i = 0; i < index->count; i++)
		if (strcmp(index->entry[i].label, label) == 0)
			return error_set(parse->err, "there are two entries [%s]", label);
	if (index->count >= PACK_ENTRIES_LIMIT)
		return error_set(parse->err, "more than %d entries", PACK_ENTRIES_LIMIT);
	if (strcmp(name, "kind") != 0)
		return error_set(parse->err, "an entry begins with kind = modules, package or "
					     "firmware");
	entry = pack_index_add(index, label);
	for (int kind = PACK_MODULES; kind <= PACK_FIRMWARE; kind++) {
		entry->kind = (enum pack_kind)kind;
		if (strcmp(pack_kind_name(entry->kind), value) == 0)
			return 0;
	}
	return error_set(parse->err, "kind = %s: it is modules, package or firmware", value);
}

static int take_key(struct pack_entry *entry, const char *name, const char *value,
		    struct error *err)
{
	_cleanup_free_ char *copy = string_copy(value);

	for (size_t i = 0; i < array_length(keys); i++) {
		if (strcmp(keys[i].name, name) != 0)
			continue;
		if (!(keys[i].kinds & KIND(entry->kind)))
			return error_set(err, "an entry of kind %s has no %s",
					 pack_kind_name(entry->kind), name);
		return keys[i].take(entry, copy, err);
	}
	return error_set(err, "unknown key %s", name);
}

/* inih: 1 is success; it goes on after an error. */
static int handle(void *context, const char *section, const char *name, const char *value)
{
	struct parse *parse = context;
	struct pack_index *index = parse->index;
	struct pack_entry *last = index->count ? &index->entry[index->count - 1] : NULL;
	int r;

	if (parse->has_failed)
		return 0;
	if (strcmp(section, PACK_INDEX_SECTION) == 0 && !last)
		r = take_head(parse, name, value);
	else if (last && strcmp(section, last->label) == 0)
		r = take_key(last, name, value, parse->err);
	else
		r = begin_entry(parse, section, name, value);
	parse->has_failed = r < 0;
	return r == 0;
}

/* What an entry must have, and what its files may be. */
static int check_files(const struct pack_entry *entry, struct error *err)
{
	uint64_t limit = entry->kind == PACK_PACKAGE ? PACK_FILE_LIMIT : PACK_MEMORY_FILE_LIMIT;

	if (entry->file_count == 0)
		return error_set(err, "it has no file");
	for (size_t i = 0; i < entry->file_count; i++) {
		const struct pack_file *file = &entry->file[i];

		if (file->size == 0 || file->size > limit)
			return error_set(err, "%s has %llu bytes, and 1 to %llu are allowed",
					 file->path, (unsigned long long)file->size,
					 (unsigned long long)limit);
		if (entry->kind == PACK_FIRMWARE && !has_prefix(file->path, "firmware/"))
			return error_set(err,
					 "%s: files of firmware lie in the pack as they do below "
					 "/lib, beginning with firmware/",
					 file->path);
		if (entry->kind == PACK_MODULES && !strstr(file->path, ".ko"))
			return error_set(err, "%s is no kernel module (.ko)", file->path);
	}
	return 0;
}

static int check_package(const struct pack_entry *entry, struct error *err)
{
	const char *path = entry->file[0].path;

	if (!entry->package || !entry->version || !entry->architecture)
		return error_set(err, "a package needs package, version and architecture, as they "
				      "stand in it; `v2p pack build` writes them");
	if (entry->file_count != 1)
		return error_set(err, "an entry of kind package has one file");
	if (!has_suffix(path, ".deb") && !has_suffix(path, ".rpm"))
		return error_set(err, "%s is neither a .deb nor an .rpm", path);
	return 0;
}

static int check_entry(const struct pack_entry *entry, struct error *err)
{
	if (check_files(entry, err) < 0)
		return -1;
	if (entry->kind == PACK_PACKAGE)
		return check_package(entry, err);
	if (entry->kind == PACK_MODULES && entry->kernels.count == 0)
		return error_set(err, "modules need kernel = and a pattern of the releases that "
				      "they were built for");
	return 0;
}

/* inih cuts longer lines up, and what a NUL hides would not be read. */
static int check_text(const char *text, size_t length, struct error *err)
{
	const char *at = text;

	if (length > PACK_INDEX_LIMIT)
		return error_set(err, "it is larger than %d bytes", PACK_INDEX_LIMIT);
	if (memchr(text, '\0', length))
		return error_set(err, "it is not a text file");
	for (unsigned int line = 1; *at; line++) {
		size_t width = strcspn(at, "\n");

		if (width > PACK_LINE_LIMIT)
			return error_set(err, "line %u: it is longer than %d characters", line,
					 PACK_LINE_LIMIT);
		at += width + (at[width] == '\n');
	}
	return 0;
}

static int parse_text(const char *text, struct pack_index *index, struct error *err)
{
	_cleanup_error_ struct error reason = {0};
	struct parse parse = {.index = index, .err = &reason};
	int line = ini_parse_string(text, handle, &parse);

	if (line != 0 && !parse.has_failed)
		return error_set(err, "line %d: this is not `key = value`", line);
	if (line != 0)
		return error_set(err, "line %d: %s", line, error_text(&reason));
	if (!parse.has_format)
		return error_set(err, "it has no [" PACK_INDEX_SECTION "] with format = %d",
				 PACK_FORMAT);
	return 0;
}

int pack_index_parse(const char *origin, const char *text, size_t length, struct pack_index *out,
		     struct error *err)
{
	_cleanup_pack_index_ struct pack_index index = {0};

	if (check_text(text, length, err) < 0 || parse_text(text, &index, err) < 0)
		return error_in(err, "%s", origin);
	for (size_t i = 0; i < index.count; i++)
		if (check_entry(&index.entry[i], err) < 0)
			return error_in(err, "%s: [%s]", origin, index.entry[i].label);
	if (!index.name)
		index.name = string_copy("");
	*out = index;
	index = (struct pack_index){0};
	return 0;
}
