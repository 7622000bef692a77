// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void error_replace(struct error *err, char *text, int number)
{
	free(err->text);
	err->text = text;
	err->number = number;
}

int error_set(struct error *err, const char *format, ...)
{
	va_list args;
	char *text = NULL;

	if (!err)
		return -1;
	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	error_replace(err, text, 0);
	return -1;
}

int error_sys(struct error *err, int number, const char *format, ...)
{
	va_list args;
	char *what = NULL, *text = NULL;

	if (!err)
		return -1;
	va_start(args, format);
	if (vasprintf(&what, format, args) < 0)
		what = NULL;
	va_end(args);
	if (asprintf(&text, "%s: %s", what ? what : "out of memory", strerror(number)) < 0)
		text = NULL;
	free(what);
	error_replace(err, text, number);
	return -1;
}

int error_in(struct error *err, const char *format, ...)
{
	va_list args;
	char *context = NULL, *text = NULL;

	if (!err)
		return -1;
	va_start(args, format);
	if (vasprintf(&context, format, args) < 0)
		context = NULL;
	va_end(args);
	if (!context)
		return -1;
	if (asprintf(&text, "%s: %s", context, error_text(err)) < 0)
		text = NULL;
	free(context);
	if (text)
		error_replace(err, text, err->number);
	return -1;
}

const char *error_text(const struct error *err)
{
	return err && err->text ? err->text : "out of memory";
}

void error_move(struct error *to, struct error *from)
{
	error_release(to);
	*to = *from;
	*from = (struct error){0};
}

void error_release(struct error *err)
{
	if (!err)
		return;
	free(err->text);
	*err = (struct error){0};
}
