// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/vmdk_extents.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/scope.h"

static const char *const access_words[] = {"RW", "RDONLY", "NOACCESS"};

static const char *skip_blanks(const char *p)
{
	return p + strspn(p, " \t");
}

/* Where the extent's line goes on after its access mode; NULL: it is another line. */
static const char *after_access(const char *line)
{
	for (size_t i = 0; i < array_length(access_words); i++) {
		size_t length = strlen(access_words[i]);

		if (strncmp(line, access_words[i], length) == 0 &&
		    (line[length] == ' ' || line[length] == '\t'))
			return line + length;
	}
	return NULL;
}

static bool is_plain(const char *name)
{
	return *name != '\0' && strlen(name) <= 255 && !strpbrk(name, "/\\:") &&
	       strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static int add_name(const char *from, struct strings *names, struct error *err)
{
	const char *end = strchr(from, '"');
	_cleanup_free_ char *name =
		end ? string_format("%.*s", (int)(end - from), from) : string_copy(from);

	if (!end || !is_plain(name))
		return error_set(err,
				 "the image names another file, '%s': only files in the image's "
				 "own directory are opened; copy it there, or make one image of "
				 "all with `qemu-img convert -O qcow2`",
				 name);
	if (names->count >= VMDK_EXTENTS_MAX)
		return error_set(err, "the image names more than %d files", VMDK_EXTENTS_MAX);
	strings_add(names, name);
	return 0;
}

/* RW 4192256 SPARSE "disk-s001.vmdk" */
static int read_line(const char *line, struct strings *names, struct error *err)
{
	const char *quote, *p = after_access(skip_blanks(line));

	quote = p ? strchr(p, '"') : NULL;
	return quote ? add_name(quote + 1, names, err) : 0;
}

/* The content ID of no parent. */
static bool has_parent(const char *descriptor)
{
	const char *id = strstr(descriptor, "parentCID=");

	return strstr(descriptor, "parentFileNameHint") ||
	       (id && strncasecmp(id + strlen("parentCID="), "ffffffff", 8) != 0);
}

static void drop_doubles(struct strings *names)
{
	size_t kept = 0;

	strings_sort(names);
	for (size_t i = 0; i < names->count; i++) {
		if (kept > 0 && strcmp(names->item[kept - 1], names->item[i]) == 0)
			free(names->item[i]);
		else
			names->item[kept++] = names->item[i];
	}
	names->count = kept;
}

int vmdk_extents(const char *descriptor, struct strings *names, struct error *err)
{
	_cleanup_strings_ struct strings lines = {0};

	if (has_parent(descriptor))
		return error_set(err, "this VMDK image holds only the changes against another one: "
				      "make one image of both with `qemu-img convert -O qcow2`");
	strings_split(&lines, descriptor, "\r\n");
	for (size_t i = 0; i < lines.count; i++)
		if (read_line(lines.item[i], names, err) < 0)
			return -1;
	drop_doubles(names);
	return 0;
}
