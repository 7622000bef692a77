// SPDX-License-Identifier: GPL-3.0-or-later
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapt/guest_image.h"
#include "base/scope.h"
#include "cli/command.h"
#include "restore/layout.h"
#include "restore/source.h"

static void render_layout(const struct layout *layout, struct text *out)
{
	text_addf(out, "\nPartitions (%s%s%s)\n", layout->table ? layout->table : "no table",
		  layout->disk_id ? ", id " : "", layout->disk_id ? layout->disk_id : "");
	for (size_t i = 0; i < layout->count; i++) {
		const struct partition *p = &layout->partition[i];
		_cleanup_free_ char *size = size_format(p->length);

		text_addf(out, "  %2d %9s at %-12llu %-12s label %s uuid %s%s%s%s\n", p->number,
			  size, (unsigned long long)p->start, string_or_dash(p->filesystem),
			  string_or_dash(p->label), string_or_dash(p->uuid),
			  p->is_esp ? " [EFI system partition]" : "",
			  p->is_bios_boot ? " [BIOS boot]" : "", p->bootable ? " [active]" : "");
	}
}

/* Where it is on the disk; how it happens to be mounted now is nobody's business. */
static void render_mount(const struct guest_mount *mount, struct text *out)
{
	text_addf(out, "Mount       %-10s ", mount->where);
	if (mount->volume)
		text_addf(out, "volume %s", mount->volume);
	else if (mount->partition)
		text_addf(out, "partition %d", mount->partition);
	else
		text_add(out, "the whole disk");
	text_addf(out, " (%s)\n", string_or_dash(mount->filesystem));
}

static void render_guest(const struct guest *guest, struct text *out)
{
	text_addf(out, "\nSystem      %s (%s), host name %s\n", string_or_dash(guest->os_name),
		  string_or_dash(guest->architecture), string_or_dash(guest->hostname));
	for (size_t i = 0; i < guest->kernel_count; i++)
		text_addf(out, "Kernel      %s, image %s, initramfs %s\n", guest->kernel[i].release,
			  string_or_dash(guest->kernel[i].image),
			  string_or_dash(guest->kernel[i].initramfs));
	for (size_t i = 0; i < guest->mount_count; i++)
		render_mount(&guest->mount[i], out);
	for (size_t i = 0; i < guest->unmounted.count; i++)
		text_addf(out, "Not mounted %s\n", guest->unmounted.item[i]);
}

struct inspection {
	json_object *image; /* or NULL for --root */
	struct layout layout;
	struct source *source; /* what guest is read from, or NULL */
	struct guest guest;
	bool has_guest;
	char *no_guest; /* why the system was not read */
};

static bool is_disk(const struct source *source)
{
	struct stat st;

	return strcmp(source->ops->name, "raw") == 0 && stat(source->name, &st) == 0 &&
	       S_ISBLK(st.st_mode);
}

static void inspect_guest(struct inspection *in)
{
	_cleanup_error_ struct error err = {0};
	int r;

	if (geteuid() != 0) {
		in->no_guest = string_copy("reading the system takes root");
		return;
	}
	if (is_disk(in->source))
		r = guest_open_disk(in->source->name, GUEST_READ_ONLY, &in->guest, &err);
	else
		r = guest_open_image(in->source, &in->guest, &err);
	in->has_guest = r == 0;
	if (!in->has_guest)
		in->no_guest = string_copy(error_text(&err));
}

static int inspect_image(const char *path, const char *format, const char *ca,
			 struct inspection *in, struct error *err)
{
	const struct source_options options = {.format = format, .file = {.ca_file = ca}};

	if (source_open(path, &options, &in->source, err) < 0)
		return -1;
	in->image = source_describe(in->source);
	if (layout_read_source(in->source, &in->layout, err) < 0)
		return -1;
	inspect_guest(in);
	return 0;
}

static int inspect(const struct options *options, struct inspection *in, struct error *err)
{
	if (!options->root)
		return inspect_image(options->arguments.item[0], options->format, options->ca_file,
				     in, err);
	if (guest_open_root(options->root, &in->guest, err) < 0)
		return -1;
	in->has_guest = true;
	return 0;
}

static void render_value(json_object *value, struct text *out)
{
	const char *before = "";

	if (!json_object_is_type(value, json_type_object)) {
		text_add(out, value ? json_object_get_string(value) : "-");
		return;
	}
	json_object_object_foreach(value, name, member)
	{
		text_addf(out, "%s%s %s", before, name,
			  member ? json_object_get_string(member) : "-");
		before = ", ";
	}
}

/* A list has a line for each entry. */
static void render_fact(const char *name, json_object *value, struct text *out)
{
	bool is_list = json_object_is_type(value, json_type_array);
	size_t count = is_list ? json_object_array_length(value) : 1;

	for (size_t i = 0; i < count; i++) {
		text_addf(out, "%-16s ", i ? "" : name);
		render_value(is_list ? json_object_array_get_idx(value, i) : value, out);
		text_add(out, "\n");
	}
}

static void render_text(const struct inspection *in, struct text *out)
{
	if (in->image) {
		json_object_object_foreach(in->image, name, value) render_fact(name, value, out);
		render_layout(&in->layout, out);
	}
	if (in->has_guest)
		render_guest(&in->guest, out);
	else
		text_addf(out, "\nSystem      not read: %s\n", in->no_guest);
}

static json_object *inspection_json(const struct inspection *in)
{
	json_object *object = json_object_new_object();

	if (in->image) {
		json_object_object_add(object, "image", json_object_get(in->image));
		json_object_object_add(object, "layout", layout_json(&in->layout));
	}
	if (in->has_guest)
		json_object_object_add(object, "guest", guest_json(&in->guest));
	else
		json_object_object_add(object, "no-guest", json_object_new_string(in->no_guest));
	return object;
}

static void show(const struct inspection *in, struct output *output)
{
	_cleanup_text_ struct text text = {0};

	if (output->json) {
		output_json(output, inspection_json(in));
		return;
	}
	render_text(in, &text);
	output_result(output, text_string(&text));
}

enum exit_status command_inspect(const struct options *options, struct output *output,
				 struct error *err)
{
	struct inspection in = {.guest = {.root_fd = -1}};
	enum exit_status status = EXIT_REFUSED;

	if (options->arguments.count + (options->root != NULL) != 1) {
		error_set(err, "inspect wants one image or disk, or --root DIR");
		return EXIT_USAGE;
	}
	if (inspect(options, &in, err) == 0) {
		show(&in, output);
		status = EXIT_DONE;
	}
	if (in.has_guest && guest_close(&in.guest, status == EXIT_DONE ? err : NULL) < 0)
		status = EXIT_REFUSED;
	source_close(in.source);
	layout_release(&in.layout);
	json_object_put(in.image);
	free(in.no_guest);
	return status;
}
