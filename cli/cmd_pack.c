// SPDX-License-Identifier: GPL-3.0-or-later
#include <string.h>

#include "adapt/pack_build.h"
#include "adapt/packs.h"
#include "base/json.h"
#include "base/scope.h"
#include "cli/command.h"

static uint64_t entry_size(const struct pack_entry *entry)
{
	uint64_t size = 0;

	for (size_t i = 0; i < entry->file_count; i++)
		size += entry->file[i].size;
	return size;
}

/* What the entry is and whom it is for, in a few words; heap. */
static char *describe(const struct pack_entry *entry)
{
	_cleanup_free_ char *kernels = strings_join(&entry->kernels, ", ");
	_cleanup_free_ char *systems = strings_join(&entry->distributions, ", ");
	struct text text = {0};

	if (entry->release)
		text_addf(&text, "kernel %s", entry->release);
	else if (entry->kernels.count)
		text_addf(&text, "for kernel %s", kernels);
	if (entry->distributions.count)
		text_addf(&text, "%son %s", text.length ? ", " : "", systems);
	if (entry->architecture)
		text_addf(&text, "%s%s", text.length ? ", " : "", entry->architecture);
	if (entry->modaliases.count)
		text_addf(&text, "%s%zu modaliases", text.length ? ", " : "",
			  entry->modaliases.count);
	if (entry->firmware.count)
		text_addf(&text, "%s%zu firmware files", text.length ? ", " : "",
			  entry->firmware.count);
	text_add(&text, "");
	return text_take(&text);
}

static void render_index(const struct pack_index *index, struct text *out)
{
	for (size_t i = 0; i < index->count; i++) {
		const struct pack_entry *entry = &index->entry[i];
		_cleanup_free_ char *about = describe(entry),
				    *size = size_format(entry_size(entry));

		text_addf(out, "  %-8s  %s%s%s  (%s)\n            %s\n",
			  pack_kind_name(entry->kind),
			  entry->package ? entry->package : entry->label, entry->version ? " " : "",
			  entry->version ? entry->version : "", size, about);
	}
}

static json_object *strings_json(const struct strings *list)
{
	json_object *array = json_object_new_array();

	for (size_t i = 0; i < list->count; i++)
		json_object_array_add(array, json_object_new_string(list->item[i]));
	return array;
}

static json_object *entry_json(const struct pack_entry *entry)
{
	json_object *object = json_object_new_object();
	json_object *files = json_object_new_array();

	for (size_t i = 0; i < entry->file_count; i++)
		json_object_array_add(files, json_object_new_string(entry->file[i].path));
	json_object_object_add(object, "entry", json_object_new_string(entry->label));
	json_object_object_add(object, "kind", json_object_new_string(pack_kind_name(entry->kind)));
	json_object_object_add(object, "package", json_string_or_null(entry->package));
	json_object_object_add(object, "version", json_string_or_null(entry->version));
	json_object_object_add(object, "brings-kernel", json_string_or_null(entry->release));
	json_object_object_add(object, "kernels", strings_json(&entry->kernels));
	json_object_object_add(object, "distributions", strings_json(&entry->distributions));
	json_object_object_add(object, "modaliases",
			       json_object_new_uint64(entry->modaliases.count));
	json_object_object_add(object, "bytes", json_object_new_uint64(entry_size(entry)));
	json_object_object_add(object, "files", files);
	return object;
}

static json_object *pack_json(const struct pack *pack)
{
	json_object *object = json_object_new_object();
	json_object *entries = json_object_new_array();

	for (size_t i = 0; i < pack->index.count; i++)
		json_object_array_add(entries, entry_json(&pack->index.entry[i]));
	json_object_object_add(object, "pack", json_object_new_string(pack->place));
	json_object_object_add(object, "name", json_object_new_string(pack->index.name));
	json_object_object_add(object, "signed", json_object_new_boolean(pack->is_signed));
	json_object_object_add(object, "entries", entries);
	return object;
}

static void print_pack(const struct pack *pack, struct output *output)
{
	_cleanup_text_ struct text text = {0};

	if (output->json) {
		output_json(output, pack_json(pack));
		return;
	}
	text_addf(&text, "Driver pack %s%s%s%s\n", pack->place, *pack->index.name ? ": " : "",
		  pack->index.name, pack->is_signed ? " (signature proven)" : "");
	render_index(&pack->index, &text);
	output_result(output, text_string(&text));
}

static enum exit_status list(const struct options *options, struct output *output,
			     struct error *err)
{
	const struct packs_options wanted = {options->driver_pack_key, options->ca_file};
	_cleanup_strings_ struct strings places = {0};
	_cleanup_packs_ struct packs *packs = NULL;

	strings_add(&places, options->arguments.item[1]);
	if (packs_open(&places, &wanted, &packs, err) < 0)
		return EXIT_REFUSED;
	print_pack(packs_get(packs, 0), output);
	return EXIT_DONE;
}

static int gather(const struct options *options, struct pack_build *build, struct error *err)
{
	if (options->packages &&
	    pack_build_packages(build, options->packages, options->distribution, err) < 0)
		return -1;
	if ((options->running || options->root) &&
	    pack_build_running(build, options->root ? options->root : "/", &options->modules, err) <
		    0)
		return -1;
	return 0;
}

static enum exit_status build(const struct options *options, struct output *output,
			      struct error *err)
{
	_cleanup_pack_build_ struct pack_build build = {0};
	struct pack made = {.place = options->arguments.item[1]};

	if (!options->packages && !options->running && !options->root) {
		error_set(err, "a pack is built from --packages DIR, --running, or --root DIR");
		return EXIT_USAGE;
	}
	build.index.name = string_copy(options->name ? options->name : "");
	if (gather(options, &build, err) < 0 || pack_build_write(&build, made.place, err) < 0)
		return EXIT_REFUSED;
	for (size_t i = 0; i < build.warnings.count; i++)
		output_say(output, "Note: %s", build.warnings.item[i]);
	made.index = build.index;
	print_pack(&made, output);
	return EXIT_DONE;
}

enum exit_status command_pack(const struct options *options, struct output *output,
			      struct error *err)
{
	static const struct {
		const char *name;
		enum exit_status (*run)(const struct options *, struct output *, struct error *);
	} verbs[] = {{"build", build}, {"list", list}};

	for (size_t i = 0; options->arguments.count == 2 && i < array_length(verbs); i++)
		if (strcmp(verbs[i].name, options->arguments.item[0]) == 0)
			return verbs[i].run(options, output, err);
	error_set(err, "pack wants build OUT or list PLACE");
	return EXIT_USAGE;
}
