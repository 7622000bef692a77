// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/pack_package_kinds.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "adapt/deb_control.h"
#include "base/scope.h"

enum { CONTROL_LIMIT = 1 << 20 };

static int give_member(void *context, void *data, size_t capacity, size_t *got, struct error *err)
{
	return pack_archive_read(context, data, capacity, got, err);
}

/* Opens control.tar or data.tar, however compressed, in the package. */
static int open_part(struct pack_archive *package, struct pack_archive *part, int *fd,
		     const char *wanted, struct error *err)
{
	int r;

	if (lseek(*fd, 0, SEEK_SET) < 0)
		return error_sys(err, errno, "read it from its start");
	if (pack_archive_open(package, PACK_ARCHIVE_AR, pack_archive_fd, fd, err) < 0)
		return -1;
	while ((r = pack_archive_next(package, err)) > 0)
		if (has_prefix(package->name, wanted))
			return pack_archive_open(part, PACK_ARCHIVE_TAR, give_member, package, err);
	return r < 0 ? -1 : error_set(err, "it is no Debian package: it has no %s", wanted);
}

static int read_control(int fd, struct text *out, struct error *err)
{
	_cleanup_pack_archive_ struct pack_archive package = {0}, part = {0};
	int r;

	if (open_part(&package, &part, &fd, "control.tar", err) < 0)
		return -1;
	while ((r = pack_archive_next(&part, err)) > 0)
		if (strcmp(part.name, "control") == 0)
			return pack_archive_text(&part, CONTROL_LIMIT, out, err);
	return r < 0 ? -1 : error_set(err, "it is no Debian package: it has no control file");
}

static void move_strings(struct strings *to, struct strings *from)
{
	*to = *from;
	*from = (struct strings){0};
}

int pack_deb_describe(int fd, struct pack_entry *entry, struct error *err)
{
	_cleanup_deb_package_ struct deb_package package = {0};
	_cleanup_text_ struct text control = {0};

	if (read_control(fd, &control, err) < 0 ||
	    deb_package_parse(text_string(&control), &package, err) < 0)
		return -1;
	entry->package = steal(&package.name);
	entry->version = steal(&package.version);
	entry->architecture = steal(&package.architecture);
	entry->installed_size = package.installed_size;
	move_strings(&entry->depends, &package.depends);
	move_strings(&entry->provides, &package.provides);
	return 0;
}

int pack_deb_walk(int fd, pack_visit visit, void *context, struct error *err)
{
	_cleanup_pack_archive_ struct pack_archive package = {0}, part = {0};
	int r;

	if (open_part(&package, &part, &fd, "data.tar", err) < 0)
		return -1;
	while ((r = pack_archive_next(&part, err)) > 0)
		if (visit(context, &part, err) < 0)
			return -1;
	return r;
}
