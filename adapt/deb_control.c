// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/deb_control.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/scope.h"

#define STATUS_FILE "/var/lib/dpkg/status"

static const char *line_end(const char *line)
{
	return line + strcspn(line, "\n");
}

static const char *next_line(const char *line)
{
	const char *end = line_end(line);

	return *end ? end + 1 : end;
}

/* The field with its continuation lines, as one line; heap. NULL: there is none. */
static char *field(const char *stanza, const char *name)
{
	size_t length = strlen(name);
	struct text value = {0};
	const char *line = stanza;

	while (*line && *line != '\n' &&
	       (strncasecmp(line, name, length) != 0 || line[length] != ':'))
		line = next_line(line);
	if (!*line || *line == '\n')
		return NULL;
	line += length + 1;
	do {
		text_add_bytes(&value, line, (size_t)(line_end(line) - line));
		line = next_line(line);
	} while (*line == ' ' || *line == '\t');
	text_add(&value, "");
	return text_take(&value);
}

static char *trimmed_field(const char *stanza, const char *name)
{
	_cleanup_free_ char *value = field(stanza, name);

	return value ? string_copy(string_trim(value)) : NULL;
}

/* "a  (>= 1)" and tabs become single spaces: the clause is compared with others. */
static void add_clause(struct strings *list, const char *clause)
{
	_cleanup_strings_ struct strings words = {0};
	_cleanup_free_ char *joined = NULL;

	strings_split(&words, clause, " \t\r");
	joined = strings_join(&words, " ");
	if (*joined)
		strings_add(list, joined);
}

static void add_clauses(const char *stanza, const char *name, struct strings *list)
{
	_cleanup_free_ char *value = field(stanza, name);
	_cleanup_strings_ struct strings clauses = {0};

	if (value)
		strings_split(&clauses, value, ",");
	for (size_t i = 0; i < clauses.count; i++)
		add_clause(list, clauses.item[i]);
}

int deb_package_parse(const char *stanza, struct deb_package *out, struct error *err)
{
	_cleanup_free_ char *size = field(stanza, "Installed-Size");
	struct deb_package package = {
		.name = trimmed_field(stanza, "Package"),
		.version = trimmed_field(stanza, "Version"),
		.architecture = trimmed_field(stanza, "Architecture"),
	};

	if (!package.name || !package.version || !package.architecture) {
		deb_package_release(&package);
		return error_set(err, "it has no Package, Version and Architecture");
	}
	add_clauses(stanza, "Pre-Depends", &package.depends);
	add_clauses(stanza, "Depends", &package.depends);
	add_clauses(stanza, "Provides", &package.provides);
	if (size)
		package.installed_size = strtoull(size, NULL, 10) << 10;
	*out = package;
	return 0;
}

void deb_package_release(struct deb_package *package)
{
	free(package->name);
	free(package->version);
	free(package->architecture);
	strings_release(&package->depends);
	strings_release(&package->provides);
	*package = (struct deb_package){0};
}

/* "install ok installed"; one that waits for triggers works, too. */
static bool is_installed(const char *stanza)
{
	_cleanup_free_ char *status = trimmed_field(stanza, "Status");

	return status &&
	       (has_suffix(status, " installed") || has_suffix(status, " triggers-pending"));
}

static int compare_packages(const void *a, const void *b)
{
	return strcmp(((const struct deb_package *)a)->name, ((const struct deb_package *)b)->name);
}

static void add_stanza(struct deb_installed *installed, const char *stanza)
{
	struct deb_package package;

	if (!is_installed(stanza) || deb_package_parse(stanza, &package, NULL) < 0)
		return;
	installed->item =
		reallocarray(installed->item, installed->count + 1, sizeof(*installed->item));
	if (!installed->item)
		abort();
	installed->item[installed->count++] = package;
}

int deb_installed_read(const struct guest *guest, struct deb_installed *out, struct error *err)
{
	_cleanup_text_ struct text content = {0};
	int r = guest_read(guest, STATUS_FILE, &content, err);
	const char *stanza;

	*out = (struct deb_installed){0};
	if (r <= 0)
		return r;
	for (stanza = text_string(&content); *stanza;) {
		const char *end = strstr(stanza, "\n\n");

		if (*stanza != '\n')
			add_stanza(out, stanza);
		stanza = end ? end + 2 : "";
	}
	if (out->count)
		qsort(out->item, out->count, sizeof(*out->item), compare_packages);
	return 1;
}

const struct deb_package *deb_installed_find(const struct deb_installed *installed,
					     const char *name)
{
	const struct deb_package wanted = {.name = (char *)name};

	if (installed->count == 0)
		return NULL;
	return bsearch(&wanted, installed->item, installed->count, sizeof(*installed->item),
		       compare_packages);
}

static bool is_provided(const char *provided, const struct deb_relation *relation)
{
	_cleanup_deb_relations_ struct deb_relations parsed = {0};

	deb_relations_parse(provided, &parsed);
	return parsed.count == 1 && strcmp(parsed.item[0].package, relation->package) == 0 &&
	       deb_relation_accepts(relation, parsed.item[0].version);
}

bool deb_provides(const char *name, const char *version, const struct strings *provides,
		  const struct deb_relation *relation)
{
	if (strcmp(name, relation->package) == 0 && deb_relation_accepts(relation, version))
		return true;
	for (size_t i = 0; i < provides->count; i++)
		if (has_prefix(provides->item[i], relation->package) &&
		    is_provided(provides->item[i], relation))
			return true;
	return false;
}

bool deb_installed_satisfies(const struct deb_installed *installed,
			     const struct deb_relation *relation)
{
	for (size_t i = 0; i < installed->count; i++) {
		const struct deb_package *package = &installed->item[i];

		if (deb_provides(package->name, package->version, &package->provides, relation))
			return true;
	}
	return false;
}

void deb_installed_release(struct deb_installed *installed)
{
	for (size_t i = 0; i < installed->count; i++)
		deb_package_release(&installed->item[i]);
	free(installed->item);
	*installed = (struct deb_installed){0};
}
