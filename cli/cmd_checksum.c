// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/scope.h"
#include "cli/command.h"
#include "cli/image.h"
#include "cli/interrupt.h"
#include "restore/bmap_make.h"
#include "restore/bmap_write.h"

/* A map that was cut short would be refused when it is used, which is late. */
static int print(struct output *output, const struct text *text, struct error *err)
{
	output_result(output, text_string(text));
	return ferror(stdout) ? error_set(err, "the block map could not be written to standard "
					       "output: is there room for it?")
			      : 0;
}

static int checksum(const struct options *options, struct output *output, struct error *err)
{
	const struct write_options watch = {
		.progress = output_progress, .context = output, .stop = interrupt_flag()};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_layout_ struct layout layout = {0};
	_cleanup_bmap_ struct bmap map = {0};
	_cleanup_text_ struct text text = {0};

	if (image_open_used(options, &source, &layout, err) < 0)
		return -1;
	interrupt_catch();
	if (bmap_make(source, &watch, &map, err) < 0 || bmap_write(&map, &text, err) < 0)
		return -1;
	return print(output, &text, err);
}

enum exit_status command_checksum(const struct options *options, struct output *output,
				  struct error *err)
{
	if (options->arguments.count != 1) {
		error_set(err, "checksum wants an image");
		return EXIT_USAGE;
	}
	return checksum(options, output, err) < 0 ? EXIT_REFUSED : EXIT_DONE;
}
