// SPDX-License-Identifier: GPL-3.0-or-later
#include <string.h>

#include "base/scope.h"
#include "cli/command.h"
#include "cli/image.h"
#include "cli/interrupt.h"
#include "restore/verify.h"

/* The partition in which a difference begins, or NULL. */
static const struct partition *partition_at(const struct layout *layout, uint64_t offset)
{
	for (size_t i = 0; i < layout->count; i++) {
		const struct partition *p = &layout->partition[i];

		if (!p->is_extended && offset >= p->start && offset - p->start < p->length)
			return p;
	}
	return NULL;
}

static json_object *difference_json(const struct difference *difference,
				    const struct layout *layout)
{
	const struct partition *partition = partition_at(layout, difference->offset);
	json_object *out = json_object_new_object();

	json_object_object_add(out, "offset", json_object_new_uint64(difference->offset));
	json_object_object_add(out, "length", json_object_new_uint64(difference->length));
	json_object_object_add(out, "partition",
			       partition ? json_object_new_int(partition->number) : NULL);
	return out;
}

static json_object *verification_json(const struct verification *found, const struct layout *layout)
{
	json_object *out = json_object_new_object(), *list = json_object_new_array();

	for (size_t i = 0; i < found->count; i++)
		json_object_array_add(list, difference_json(&found->difference[i], layout));
	json_object_object_add(out, "compared-bytes",
			       json_object_new_uint64(found->compared_bytes));
	json_object_object_add(out, "unused-bytes", json_object_new_uint64(found->unused_bytes));
	json_object_object_add(out, "different-bytes",
			       json_object_new_uint64(found->different_bytes));
	json_object_object_add(out, "differences", list);
	json_object_object_add(out, "seconds", json_object_new_double(found->seconds));
	return out;
}

static void render(const struct verification *found, const struct layout *layout, struct text *out)
{
	_cleanup_free_ char *compared = size_format(found->compared_bytes);
	_cleanup_free_ char *unused = size_format(found->unused_bytes);

	text_addf(out, "compared    %s in %.1f s\n", compared, found->seconds);
	if (found->unused_bytes)
		text_addf(out, "left out    %s that the image's file systems do not use\n", unused);
	for (size_t i = 0; i < found->count; i++) {
		const struct difference *d = &found->difference[i];
		const struct partition *partition = partition_at(layout, d->offset);
		_cleanup_free_ char *length = size_format(d->length);

		text_addf(out, "differs     %s at offset %llu", length,
			  (unsigned long long)d->offset);
		if (partition && partition->number)
			text_addf(out, " (partition %d)", partition->number);
		text_add(out, "\n");
	}
	if (found->count == VERIFY_DIFFERENCES)
		text_add(out, "differs     and in more places\n");
}

static void show(const struct verification *found, const struct layout *layout,
		 struct output *output)
{
	_cleanup_text_ struct text text = {0};

	if (output->json) {
		output_json(output, verification_json(found, layout));
		return;
	}
	render(found, layout, &text);
	output_result(output, text_string(&text));
}

static int compare(const struct options *options, struct output *output, struct verification *found,
		   struct error *err)
{
	const struct write_options watch = {
		.progress = output_progress, .context = output, .stop = interrupt_flag()};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_layout_ struct layout layout = {0};
	const char *disk = options->arguments.item[1];

	if (image_open_used(options, &source, &layout, err) < 0)
		return -1;
	interrupt_catch();
	if (verify_image(source, disk, &watch, found, err) < 0)
		return -1;
	show(found, &layout, output);
	return 0;
}

enum exit_status command_verify(const struct options *options, struct output *output,
				struct error *err)
{
	struct verification found = {0};
	_cleanup_free_ char *different = NULL;

	if (options->arguments.count != 2) {
		error_set(err, "verify wants an image and a disk");
		return EXIT_USAGE;
	}
	if (compare(options, output, &found, err) < 0)
		return EXIT_REFUSED;
	if (found.different_bytes == 0)
		return EXIT_DONE;
	different = size_format(found.different_bytes);
	error_set(err,
		  "%s differs from %s in %s: what was adapted or grown differs by design, a disk "
		  "that was restored with --no-adapt does not",
		  options->arguments.item[1], options->arguments.item[0], different);
	return EXIT_REFUSED;
}
