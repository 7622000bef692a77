// SPDX-License-Identifier: GPL-3.0-or-later
/* A plan for people. */
#include "restore/plan.h"

#include <string.h>

#include "base/fold.h"
#include "base/scope.h"

static void render_image(const struct plan *plan, struct text *out)
{
	_cleanup_free_ char *size = size_format(plan->image_size);
	_cleanup_free_ char *data = size_format(plan->data_bytes);
	_cleanup_free_ char *zeroes = size_format(plan->zero_bytes);
	_cleanup_free_ char *unused = size_format(plan->unused_bytes);
	_cleanup_text_ struct text line = {0};

	text_addf(&line, "%s (%s, ",
		  json_object_get_string(json_object_object_get(plan->image, "path")),
		  json_object_get_string(json_object_object_get(plan->image, "format")));
	if (plan->is_stream) {
		text_addf(&line, "at least %s, read as a stream)", size);
	} else {
		text_addf(&line, "%s): %s of data are written, %s of zeroes", size, data, zeroes);
		if (plan->unused_bytes)
			text_addf(&line, ", %s that its file systems do not use are left out",
				  unused);
	}
	fold(out, "  image   ", text_string(&line));
}

/* "gpt: 1 vfat 512 MiB, 2 ext4 30 GiB". */
static char *describe_layout(const struct layout *layout)
{
	struct text line = {0};

	text_add(&line, layout->table ? layout->table : "no partition table");
	for (size_t i = 0; i < layout->count; i++) {
		const struct partition *p = &layout->partition[i];
		_cleanup_free_ char *size = size_format(p->length);

		text_add(&line, i ? ", " : ": ");
		if (p->number)
			text_addf(&line, "%d ", p->number);
		text_addf(&line, "%s %s", p->filesystem ? p->filesystem : "(unknown)", size);
		if (p->label)
			text_addf(&line, " \"%s\"", p->label);
	}
	return text_take(&line);
}

static void render_growth(const struct growth *growth, struct text *out)
{
	_cleanup_free_ char *from = size_format(growth->partition_from);
	_cleanup_free_ char *to = size_format(growth->partition_to);

	if (growth->moves_backup_gpt)
		text_add(out, "  table   the backup GPT moves to the end of the disk\n");
	if (growth->partition)
		text_addf(out, "  grow    partition %d from %s to %s%s%s\n", growth->partition,
			  from, to, growth->filesystem ? ", with its " : "",
			  growth->filesystem ? growth->filesystem : "");
}

/* The image's table with what grows. */
static void render_after(const struct plan *plan, const struct growth *growth, struct text *out)
{
	const struct layout *layout = &plan->layout;
	_cleanup_free_ char *after = describe_layout(layout);

	fold(out, "  after   ", after);
	if (growth)
		render_growth(growth, out);
}

static void render_target(const struct plan *plan, const struct plan_target *target,
			  struct text *out)
{
	_cleanup_free_ char *label = disk_label(&target->disk);
	_cleanup_free_ char *line = NULL, *present = NULL;

	line = string_format("%s: %s", label,
			     target->creates_file ? "this file is made"
						  : "everything on it is overwritten");
	fold(out, "  disk    ", line);
	if (target->present.disk_size) {
		present = describe_layout(&target->present);
		fold(out, "  before  ", present);
	}
	render_after(plan, &target->growth, out);
}

void plan_render(const struct plan *plan, struct text *out)
{
	text_add(out, "Plan\n");
	render_image(plan, out);
	if (plan->target_count == 0)
		render_after(plan, NULL, out);
	for (size_t i = 0; i < plan->target_count; i++)
		render_target(plan, &plan->target[i], out);
	for (size_t i = 0; i < plan->warnings.count; i++)
		fold(out, "  warning ", plan->warnings.item[i]);
}
