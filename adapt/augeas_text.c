// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/augeas_text.h"

#include <augeas.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"

static char *__attribute__((format(printf, 1, 0))) path_make(const char *format, va_list args)
{
	_cleanup_text_ struct text path = {0};

	if (format[0] != '/' && !has_prefix(format, "%s"))
		text_add(&path, "/parsed/");
	text_vaddf(&path, format, args);
	return text_take(&path);
}

/* "%s/x" begins with a path that augeas_text_match() gave, which is complete. */
#define path_from_arguments(format)                                                                \
	({                                                                                         \
		va_list args_;                                                                     \
		va_start(args_, format);                                                           \
		char *path_ = path_make(format, args_);                                            \
		va_end(args_);                                                                     \
		path_;                                                                             \
	})

static void remember(struct augeas_text *tree, const char *edit, const char *path)
{
	if (!tree->failure.text)
		error_set(&tree->failure, "%s %s: %s", edit, path, aug_error_message(tree->augeas));
}

static int check_size(const struct text *content, struct error *err)
{
	const char *line = text_string(content);

	if (content->length > AUGEAS_TEXT_LIMIT)
		return error_set(err, "it is larger than %d KiB", AUGEAS_TEXT_LIMIT >> 10);
	if (strlen(line) != content->length)
		return error_set(err, "it holds a NUL byte");
	for (int number = 1; *line; number++) {
		size_t length = strcspn(line, "\n");

		if (length > AUGEAS_TEXT_LINE_LIMIT)
			return error_set(err, "line %d is longer than %d bytes", number,
					 AUGEAS_TEXT_LINE_LIMIT);
		line += length + (line[length] == '\n');
	}
	return 0;
}

static bool is_crlf_throughout(const char *content)
{
	const char *end = strchr(content, '\n');

	if (!end)
		return false;
	for (; end; end = strchr(end + 1, '\n')) {
		if (end == content || end[-1] != '\r')
			return false;
	}
	return true;
}

/* What the lenses read: lines that end in LF, all of them. */
static char *normalise(struct augeas_text *tree, const char *content)
{
	_cleanup_text_ struct text plain = {0};
	size_t length = strlen(content);

	tree->has_crlf = is_crlf_throughout(content);
	tree->lacks_newline = length && content[length - 1] != '\n';
	for (const char *c = content; *c; c++) {
		if (!(tree->has_crlf && c[0] == '\r' && c[1] == '\n'))
			text_add_bytes(&plain, c, 1);
	}
	if (tree->lacks_newline)
		text_add(&plain, "\n");
	return string_copy(text_string(&plain));
}

static void restore_line_ends(const struct augeas_text *tree, const char *plain, struct text *out)
{
	size_t length = strlen(plain);

	if (tree->lacks_newline && length && plain[length - 1] == '\n')
		length--;
	for (size_t i = 0; i < length; i++) {
		if (tree->has_crlf && plain[i] == '\n')
			text_add(out, "\r");
		text_add_bytes(out, plain + i, 1);
	}
}

static int parse_error(const struct augeas_text *tree, struct error *err)
{
	const char *line = NULL, *column = NULL, *message = NULL;

	aug_get(tree->augeas, "/augeas/text/parsed/error/line", &line);
	aug_get(tree->augeas, "/augeas/text/parsed/error/char", &column);
	aug_get(tree->augeas, "/augeas/text/parsed/error/message", &message);
	if (!line)
		return error_set(err, "%s: %s %s", tree->lens, aug_error_message(tree->augeas),
				 message ? message : "");
	return error_set(err, "line %s, column %s is not understood", line, column ? column : "?");
}

int augeas_text_parse(struct augeas_text *tree, const char *lens, const struct text *content,
		      struct error *err)
{
	_cleanup_free_ char *plain = NULL;

	*tree = (struct augeas_text){.lens = lens};
	if (check_size(content, err))
		return -1;
	plain = normalise(tree, text_string(content));
	/* Without AUG_NO_MODL_AUTOLOAD all 200 lenses are compiled, which takes seconds. */
	tree->augeas = aug_init("/", NULL, AUG_NO_LOAD | AUG_NO_MODL_AUTOLOAD | AUG_NO_ERR_CLOSE);
	if (!tree->augeas)
		return error_set(err, "augeas does not start");
	if (aug_set(tree->augeas, "/input", plain) ||
	    aug_text_store(tree->augeas, lens, "/input", "/parsed"))
		return parse_error(tree, err);
	return 0;
}

int augeas_text_print(struct augeas_text *tree, struct text *out, struct error *err)
{
	const char *plain = NULL;

	if (tree->failure.text) {
		error_move(err, &tree->failure);
		return -1;
	}
	if (aug_text_retrieve(tree->augeas, tree->lens, "/input", "/parsed", "/output") < 0 ||
	    aug_get(tree->augeas, "/output", &plain) != 1 || !plain) {
		const char *message = NULL;

		aug_get(tree->augeas, "/augeas/text/parsed/error/message", &message);
		return error_set(err, "the edited text does not fit %s: %s", tree->lens,
				 message ? message : aug_error_message(tree->augeas));
	}
	restore_line_ends(tree, plain, out);
	return 0;
}

void augeas_text_release(struct augeas_text *tree)
{
	if (tree->augeas)
		aug_close(tree->augeas);
	error_release(&tree->failure);
	*tree = (struct augeas_text){0};
}

void augeas_text_match(const struct augeas_text *tree, struct strings *paths, const char *format,
		       ...)
{
	_cleanup_free_ char *path = path_from_arguments(format);
	char **matches = NULL;
	int count = aug_match(tree->augeas, path, &matches);

	for (int i = 0; i < count; i++) {
		strings_add(paths, matches[i]);
		free(matches[i]);
	}
	free(matches);
}

const char *augeas_text_get(const struct augeas_text *tree, const char *format, ...)
{
	_cleanup_free_ char *path = path_from_arguments(format);
	const char *value = NULL;

	return aug_get(tree->augeas, path, &value) == 1 ? value : NULL;
}

bool augeas_text_has(const struct augeas_text *tree, const char *format, ...)
{
	_cleanup_free_ char *path = path_from_arguments(format);

	return aug_match(tree->augeas, path, NULL) > 0;
}

void augeas_text_set(struct augeas_text *tree, const char *value, const char *format, ...)
{
	_cleanup_free_ char *path = path_from_arguments(format);

	if (aug_set(tree->augeas, path, value))
		remember(tree, "set", path);
	tree->is_edited = true;
}

void augeas_text_insert(struct augeas_text *tree, const char *label, const char *format, ...)
{
	_cleanup_free_ char *path = path_from_arguments(format);

	if (aug_insert(tree->augeas, path, label, 0))
		remember(tree, "insert behind", path);
	tree->is_edited = true;
}

void augeas_text_remove(struct augeas_text *tree, const char *format, ...)
{
	_cleanup_free_ char *path = path_from_arguments(format);
	int count = aug_rm(tree->augeas, path);

	if (count < 0)
		remember(tree, "remove", path);
	if (count > 0)
		tree->is_edited = true;
}
