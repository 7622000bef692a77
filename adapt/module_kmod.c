// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/module_kmod.h"

#include <ctype.h>
#include <string.h>

#include "base/scope.h"
#include "base/text.h"

static void be_quiet(void *data, int priority, const char *file, int line, const char *function,
		     const char *format, va_list args)
{
	(void)data;
	(void)priority;
	(void)file;
	(void)line;
	(void)function;
	(void)format;
	(void)args;
}

static bool is_made_of(const char *string, const char *others)
{
	for (; *string; string++)
		if (!isalnum((unsigned char)*string) && *string != '_' && !strchr(others, *string))
			return false;
	return true;
}

bool module_is_name(const char *name)
{
	return is_made_of(name, "-.+");
}

char *module_kmod_file(const struct module_kmod *kmod, const char *path)
{
	size_t length = strlen(kmod->directory);

	if (strncmp(path, kmod->directory, length) != 0 || path[length] != '/' ||
	    strstr(path, "/../") || !is_made_of(path, "/.+-"))
		return NULL;
	return string_copy(path + length + 1);
}

int module_kmod_open(int directory, struct module_kmod *out, struct error *err)
{
	/* Not NULL, which would mean the configuration of the system that runs. */
	static const char *const no_configuration[] = {NULL};

	out->directory = string_format("/proc/self/fd/%d", directory);
	out->context = kmod_new(out->directory, no_configuration);
	if (!out->context)
		return error_set(err, "start libkmod");
	kmod_set_log_fn(out->context, be_quiet, NULL);
	return 0;
}

void module_kmod_close(struct module_kmod *kmod)
{
	if (kmod->context)
		kmod_unref(kmod->context);
	free(kmod->directory);
	*kmod = (struct module_kmod){0};
}
