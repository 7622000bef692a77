// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/module_info.h"

#include <stdlib.h>
#include <string.h>

#include "adapt/module_info_child.h"
#include "base/scope.h"

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct module_info *)a)->name, ((const struct module_info *)b)->name);
}

static void take_info(const char *name, json_object *answer, struct module_info *out)
{
	json_object *firmware = json_object_object_get(answer, "firmware");
	json_object *signer = json_object_object_get(answer, "signer");

	*out = (struct module_info){.name = string_copy(name)};
	out->is_read = json_object_get_boolean(json_object_object_get(answer, "read"));
	out->signer = signer ? string_copy(json_object_get_string(signer)) : NULL;
	for (size_t i = 0; firmware && i < json_object_array_length(firmware); i++)
		strings_add_once(&out->firmware,
				 json_object_get_string(json_object_array_get_idx(firmware, i)));
}

int module_info_ask(const struct guest *guest, const char *release, const struct strings *names,
		    struct module_infos *out, struct error *err)
{
	json_object *document = NULL;

	*out = (struct module_infos){0};
	if (module_process_ask(guest, release, names, module_info_answer, &document, err) < 0)
		return -1;
	out->item = calloc((size_t)json_object_object_length(document) + 1, sizeof(*out->item));
	if (!out->item)
		abort();
	json_object_object_foreach(document, name, answer)
		take_info(name, answer, &out->item[out->count++]);
	json_object_put(document);
	qsort(out->item, out->count, sizeof(*out->item), compare);
	return 0;
}

const struct module_info *module_info_find(const struct module_infos *infos, const char *name)
{
	const struct module_info key = {.name = (char *)name};

	return infos->count
		       ? bsearch(&key, infos->item, infos->count, sizeof(*infos->item), compare)
		       : NULL;
}

void module_infos_release(struct module_infos *infos)
{
	if (!infos)
		return;
	for (size_t i = 0; i < infos->count; i++) {
		free(infos->item[i].name);
		free(infos->item[i].signer);
		strings_release(&infos->item[i].firmware);
	}
	free(infos->item);
	*infos = (struct module_infos){0};
}
