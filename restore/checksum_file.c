// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/checksum_file.h"

#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "base/text.h"

enum { DIGITS = 2 * SHA256_LENGTH };

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* "HEX  name" or "HEX *name". Cuts the line up; the name, or NULL. */
static const char *parse_plain(char *line, uint8_t sum[SHA256_LENGTH])
{
	char *name = line + DIGITS + 2;

	if (strlen(line) <= DIGITS + 2 || line[DIGITS] != ' ' ||
	    (line[DIGITS + 1] != ' ' && line[DIGITS + 1] != '*'))
		return NULL;
	line[DIGITS] = '\0';
	return sha256_parse(line, sum) ? name : NULL;
}

/* "SHA256 (name) = HEX". */
static const char *parse_tagged(char *line, uint8_t sum[SHA256_LENGTH])
{
	static const char begin[] = "SHA256 (", between[] = ") = ";
	size_t length = strlen(line);
	char *end;

	if (!has_prefix(line, begin) || length < sizeof(begin) + sizeof(between) + DIGITS)
		return NULL;
	end = line + length - DIGITS - (sizeof(between) - 1);
	if (!has_prefix(end, between) || !sha256_parse(line + length - DIGITS, sum))
		return NULL;
	*end = '\0';
	return line + sizeof(begin) - 1;
}

struct search {
	const char *wanted; /* NULL: the only one */
	const char *list_name;
	uint8_t *out;
	int found;
};

static int look_at(struct search *search, char *line, struct error *err)
{
	uint8_t sum[SHA256_LENGTH];
	const char *name = parse_plain(line, sum);

	if (!name)
		name = parse_tagged(line, sum);
	if (!name || (search->wanted && strcmp(base_name(name), search->wanted) != 0))
		return 0;
	if (search->found > 0 && memcmp(sum, search->out, sizeof(sum)) != 0)
		return search->wanted
			       ? error_set(err, "%s has two checksums of %s that differ",
					   search->list_name, search->wanted)
			       : error_set(
					 err,
					 "%s has checksums of several files, and the image has no "
					 "name: say --checksum sha256:HEX",
					 search->list_name);
	memcpy(search->out, sum, sizeof(sum));
	search->found++;
	return 0;
}

int checksum_file_find(const char *list, const char *list_name, const char *name,
		       uint8_t out[SHA256_LENGTH], struct error *err)
{
	_cleanup_free_ char *copy = string_copy(list);
	struct search search = {
		.wanted = name ? base_name(name) : NULL, .list_name = list_name, .out = out};
	char *rest = copy, *line;

	while ((line = strsep(&rest, "\n"))) {
		line[strcspn(line, "\r")] = '\0';
		if (look_at(&search, line, err) < 0)
			return -1;
	}
	if (search.found > 0)
		return 0;
	return error_set(err, "%s has no SHA-256 checksum%s%s", list_name,
			 search.wanted ? " of a file called " : "",
			 search.wanted ? search.wanted : "");
}
