// SPDX-License-Identifier: GPL-3.0-or-later
#include <string.h>

#include "adapt/pack_install.h"
#include "base/json.h"
#include "base/scope.h"

enum { RECORD_VERSION = 1 };

/* What is written down, or an empty document when that is nothing, or not ours. The caller owns
 * it. */
static json_object *read_record(const struct guest *guest)
{
	_cleanup_text_ struct text content = {0};
	json_object *document = NULL;

	if (guest_read(guest, PACK_RECORD, &content, NULL) > 0)
		document = json_tokener_parse(text_string(&content));
	if (json_object_is_type(document, json_type_object))
		return document;
	json_object_put(document);
	return json_object_new_object();
}

const struct guest_kernel *packs_default_kernel(const struct guest *guest)
{
	json_object *document = read_record(guest), *kernel = NULL;
	const struct guest_kernel *found = NULL;
	const char *release = "";

	if (json_object_object_get_ex(document, "kernel", &kernel) && kernel)
		release = json_object_get_string(kernel);
	/* Directories of modules without a kernel may be newer. */
	for (size_t i = guest->kernel_count; i-- > 0;)
		if (guest->kernel[i].image)
			found = &guest->kernel[i];
	for (size_t i = 0; i < guest->kernel_count; i++)
		if (guest->kernel[i].image && strcmp(guest->kernel[i].release, release) == 0)
			found = &guest->kernel[i];
	json_object_put(document);
	return found;
}

static json_object *files_json(const struct pack_entry *entry)
{
	json_object *array = json_object_new_array();
	char sum[2 * SHA256_LENGTH + 1];

	for (size_t i = 0; i < entry->file_count; i++) {
		json_object *file = json_object_new_object();

		sha256_format(entry->file[i].sum, sum);
		json_object_object_add(file, "path", json_object_new_string(entry->file[i].path));
		json_object_object_add(file, "size", json_object_new_uint64(entry->file[i].size));
		json_object_object_add(file, "sha256", json_object_new_string(sum));
		json_object_array_add(array, file);
	}
	return array;
}

static json_object *pick_json(const struct pack_pick *pick, const char *release)
{
	const struct pack_entry *entry = pick->entry;
	json_object *object = json_object_new_object();

	json_object_object_add(object, "pack", json_object_new_string(pick->pack->place));
	json_object_object_add(object, "signed", json_object_new_boolean(pick->pack->is_signed));
	json_object_object_add(object, "entry", json_object_new_string(entry->label));
	json_object_object_add(object, "kind", json_object_new_string(pack_kind_name(entry->kind)));
	json_object_object_add(object, "package", json_string_or_null(entry->package));
	json_object_object_add(object, "version", json_string_or_null(entry->version));
	json_object_object_add(object, "kernel", json_object_new_string(release));
	json_object_object_add(object, "why", json_object_new_string(pick->why));
	json_object_object_add(object, "files", files_json(entry));
	return object;
}

int pack_record_add(struct guest *guest, const struct pack_choice *choice, struct error *err)
{
	json_object *document = read_record(guest), *list = NULL;
	const char *text;
	int r;

	if (!json_object_object_get_ex(document, "installed", &list) ||
	    !json_object_is_type(list, json_type_array)) {
		list = json_object_new_array();
		json_object_object_add(document, "installed", list);
	}
	json_object_object_add(document, "driver-packs-version",
			       json_object_new_int(RECORD_VERSION));
	for (size_t i = 0; i < choice->count; i++)
		json_object_array_add(list, pick_json(&choice->pick[i], choice->release));
	if (choice->is_new_kernel)
		json_object_object_add(document, "kernel", json_object_new_string(choice->release));
	text = json_object_to_json_string_ext(document, JSON_C_TO_STRING_PRETTY |
								JSON_C_TO_STRING_NOSLASHESCAPE);
	r = guest_write(guest, PACK_RECORD, text, strlen(text), err);
	json_object_put(document);
	return r;
}
