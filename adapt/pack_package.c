// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/pack_package.h"

#include "adapt/pack_package_kinds.h"
#include "base/text.h"

static const struct {
	const char *suffix;
	int (*describe)(int fd, struct pack_entry *entry, struct error *err);
	int (*walk)(int fd, pack_visit visit, void *context, struct error *err);
} kinds[] = {
	{".rpm", pack_rpm_describe, pack_rpm_walk},
	{"", pack_deb_describe, pack_deb_walk},
};

static size_t kind_of(const char *name)
{
	size_t i = 0;

	while (!has_suffix(name, kinds[i].suffix))
		i++;
	return i;
}

int pack_package_describe(int fd, const char *name, struct pack_entry *entry, struct error *err)
{
	if (kinds[kind_of(name)].describe(fd, entry, err) < 0)
		return error_in(err, "%s", name);
	return 0;
}

int pack_package_walk(int fd, const char *name, pack_visit visit, void *context, struct error *err)
{
	if (kinds[kind_of(name)].walk(fd, visit, context, err) < 0)
		return error_in(err, "%s", name);
	return 0;
}
