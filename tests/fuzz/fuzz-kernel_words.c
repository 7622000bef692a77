// SPDX-License-Identifier: GPL-3.0-or-later
/* A guest's /etc/default/grub: editing ends, and an edited text has nothing left to edit. */
#include <stdlib.h>
#include <string.h>

#include "adapt/kernel_words.h"
#include "base/scope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *edit(void *data, const char *key, const char *value)
{
	(void)data;
	if (strcmp(key, "RESUME") == 0)
		return string_copy("none");
	if (!has_prefix(value, "/dev/"))
		return NULL;
	return string_copy(strcmp(key, "resume") == 0 ? "" : "UUID=1");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_text_ struct text in = {0}, words = {0}, out = {0}, again = {0}, last = {0};

	text_add_bytes(&in, data, size);
	kernel_words_edit(text_string(&in), edit, NULL, &words);
	shell_variable_edit(text_string(&words), "RESUME", edit, NULL, &out);
	if (shell_variable_edit(text_string(&out), "RESUME", edit, NULL, &again))
		abort();
	if (strcmp(text_string(&out), text_string(&again)) != 0)
		abort();
	/* No edit means no change. */
	if (!kernel_words_edit(text_string(&out), edit, NULL, &last) &&
	    strcmp(text_string(&out), text_string(&last)) != 0)
		abort();
	return 0;
}
