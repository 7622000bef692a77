// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/config.h"

#include <string.h>
#include <sys/stat.h>

static void warn_left_alone(const struct adaptation *adaptation, const char *path,
			    const char *reason, const char *consequence)
{
	report_warning(adaptation->report, "%s is left as it is: %s; %s", path, reason,
		       consequence);
}

static void warn_dangling(const struct adaptation *adaptation, const char *path,
			  const char *consequence)
{
	struct stat st;

	if (guest_stat(adaptation->guest, path, 0, &st) || !S_ISLNK(st.st_mode))
		return;
	warn_left_alone(adaptation, path,
			"it is a symbolic link that leads out of the guest, or to nothing in it",
			consequence);
}

int config_read(const struct adaptation *adaptation, const struct changes *changes,
		const char *path, const char *consequence, struct text *out)
{
	_cleanup_error_ struct error err = {0};
	int found = changes_read(changes, adaptation->guest, path, out, &err);

	if (found < 0) {
		warn_left_alone(adaptation, path, error_text(&err), consequence);
		return 0;
	}
	if (found == 0) {
		warn_dangling(adaptation, path, consequence);
		return 0;
	}
	if (strlen(text_string(out)) == out->length)
		return 1;
	warn_left_alone(adaptation, path, "it holds a NUL byte", consequence);
	return 0;
}

int config_parse(const struct adaptation *adaptation, const struct changes *changes,
		 const char *path, const char *lens, const char *consequence,
		 struct augeas_text *tree)
{
	_cleanup_text_ struct text content = {0};
	_cleanup_error_ struct error err = {0};

	if (!config_read(adaptation, changes, path, consequence, &content))
		return 0;
	if (!augeas_text_parse(tree, lens, &content, &err))
		return 1;
	warn_left_alone(adaptation, path, error_text(&err), consequence);
	augeas_text_release(tree);
	return 0;
}

int config_save(const struct adaptation *adaptation, struct changes *changes, const char *step,
		const char *path, struct augeas_text *tree, const char *why,
		const char *consequence, struct error *err)
{
	_cleanup_text_ struct text content = {0};
	_cleanup_error_ struct error refused = {0};

	if (!tree->is_edited)
		return 0;
	if (augeas_text_print(tree, &content, &refused)) {
		warn_left_alone(adaptation, path, error_text(&refused), consequence);
		return 0;
	}
	return changes_write(changes, adaptation->guest, step, path, text_string(&content), why,
			     err);
}
