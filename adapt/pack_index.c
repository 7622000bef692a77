// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/pack_index.h"

#include <stdlib.h>
#include <string.h>

#include "base/scope.h"

enum { WIDTH = 100 }; /* of lines that are made of words */

static const char *const kind_names[] = {"modules", "package", "firmware"};

const char *pack_kind_name(enum pack_kind kind)
{
	return kind_names[kind];
}

void pack_pairs_add(struct pack_pairs *pairs, const char *first, const char *second)
{
	pairs->item = reallocarray(pairs->item, pairs->count + 1, sizeof(*pairs->item));
	if (!pairs->item)
		abort();
	pairs->item[pairs->count++] =
		(struct pack_pair){string_copy(first), second ? string_copy(second) : NULL};
}

struct pack_entry *pack_index_add(struct pack_index *index, const char *label)
{
	index->entry = reallocarray(index->entry, index->count + 1, sizeof(*index->entry));
	if (!index->entry)
		abort();
	index->entry[index->count] = (struct pack_entry){.label = string_copy(label)};
	return &index->entry[index->count++];
}

struct pack_file *pack_entry_add_file(struct pack_entry *entry, const char *path)
{
	entry->file = reallocarray(entry->file, entry->file_count + 1, sizeof(*entry->file));
	if (!entry->file)
		abort();
	entry->file[entry->file_count] = (struct pack_file){.path = string_copy(path)};
	return &entry->file[entry->file_count++];
}

static void write_list(struct text *out, const char *key, const struct strings *list)
{
	for (size_t i = 0; i < list->count; i++)
		text_addf(out, "%s = %s\n", key, list->item[i]);
}

static void write_pairs(struct text *out, const char *key, const struct pack_pairs *pairs)
{
	for (size_t i = 0; i < pairs->count; i++)
		text_addf(out, "%s = %s%s%s\n", key, pairs->item[i].first,
			  pairs->item[i].second ? " " : "",
			  pairs->item[i].second ? pairs->item[i].second : "");
}

static void write_word(struct text *out, const char *key, const char *value)
{
	if (value)
		text_addf(out, "%s = %s\n", key, value);
}

/* As many names a line as it holds. */
static void write_modules(struct text *out, const struct strings *modules)
{
	size_t width = 0;

	for (size_t i = 0; i < modules->count; i++) {
		if (width == 0 || width + 1 + strlen(modules->item[i]) > WIDTH) {
			text_add(out, width ? "\nmodules =" : "modules =");
			width = strlen("modules =");
		}
		text_addf(out, " %s", modules->item[i]);
		width += 1 + strlen(modules->item[i]);
	}
	text_add(out, width ? "\n" : "");
}

static void write_entry(const struct pack_entry *entry, struct text *out)
{
	char sum[2 * SHA256_LENGTH + 1];

	text_addf(out, "\n[%s]\nkind = %s\n", entry->label, pack_kind_name(entry->kind));
	write_word(out, "package", entry->package);
	write_word(out, "version", entry->version);
	write_word(out, "architecture", entry->architecture);
	write_list(out, "distribution", &entry->distributions);
	write_list(out, "kernel", &entry->kernels);
	write_word(out, "brings-kernel", entry->release);
	if (entry->installed_size)
		text_addf(out, "installed-size = %llu\n",
			  (unsigned long long)entry->installed_size);
	write_list(out, "depends", &entry->depends);
	write_list(out, "provides", &entry->provides);
	for (size_t i = 0; i < entry->file_count; i++) {
		sha256_format(entry->file[i].sum, sum);
		text_addf(out, "file = %s %llu %s\n", sum, (unsigned long long)entry->file[i].size,
			  entry->file[i].path);
	}
	write_list(out, "firmware", &entry->firmware);
	write_modules(out, &entry->modules);
	write_pairs(out, "wants-firmware", &entry->wants);
	write_pairs(out, "modalias", &entry->modaliases);
}

int pack_index_write(const struct pack_index *index, struct text *out, struct error *err)
{
	_cleanup_pack_index_ struct pack_index again = {0};
	_cleanup_text_ struct text text = {0};

	text_addf(&text, "[" PACK_INDEX_SECTION "]\nformat = %d\n", PACK_FORMAT);
	if (index->name && *index->name)
		text_addf(&text, "name = %s\n", index->name);
	for (size_t i = 0; i < index->count; i++)
		write_entry(&index->entry[i], &text);
	/* What is written here must be readable there. */
	if (pack_index_parse("the new index", text_string(&text), text.length, &again, err) < 0)
		return -1;
	text_add_bytes(out, text_string(&text), text.length);
	return 0;
}

static void release_pairs(struct pack_pairs *pairs)
{
	for (size_t i = 0; i < pairs->count; i++) {
		free(pairs->item[i].first);
		free(pairs->item[i].second);
	}
	free(pairs->item);
}

static void release_entry(struct pack_entry *entry)
{
	struct strings *lists[] = {&entry->kernels,  &entry->distributions, &entry->depends,
				   &entry->provides, &entry->firmware,      &entry->modules};

	for (size_t i = 0; i < array_length(lists); i++)
		strings_release(lists[i]);
	for (size_t i = 0; i < entry->file_count; i++)
		free(entry->file[i].path);
	free(entry->file);
	release_pairs(&entry->modaliases);
	release_pairs(&entry->wants);
	free(entry->label);
	free(entry->architecture);
	free(entry->package);
	free(entry->version);
	free(entry->release);
}

void pack_index_release(struct pack_index *index)
{
	for (size_t i = 0; i < index->count; i++)
		release_entry(&index->entry[i]);
	free(index->entry);
	free(index->name);
	*index = (struct pack_index){0};
}
