// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Step tools: the guest tools of hypervisors. Their units are masked (a link to /dev/null in
 * /etc/systemd/system), so that nothing waits for or fails on a hypervisor that is not there, also
 * where udev starts them. The packages stay: to remove them means to run their scripts without a
 * network and a running system, and to lose what depends on them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "adapt/step.h"
#include "base/scope.h"

static const char step_name[] = "tools";
static const char dpkg_status[] = "/var/lib/dpkg/status";
static const char unit_directory[] = "/etc/systemd/system";

enum { STATUS_LIMIT = 128 << 20, LINE_LIMIT = 1024 };

/* Names of installed packages among those of the table. Read as a stream: the file of a desktop is
 * larger than GUEST_FILE_LIMIT. */
struct status_reader {
	const struct guest_tool *tool;
	size_t tool_count;
	struct strings *installed;
	const char *package; /* of this stanza, if it is in the table */
};

static void read_line(struct status_reader *reader, char *line)
{
	line[strcspn(line, "\r\n")] = '\0';
	if (!*line)
		reader->package = NULL;
	if (has_prefix(line, "Package: ")) {
		reader->package = NULL;
		for (size_t i = 0; i < reader->tool_count; i++) {
			if (strcmp(reader->tool[i].package, line + strlen("Package: ")) == 0)
				reader->package = reader->tool[i].package;
		}
	}
	if (reader->package && has_prefix(line, "Status: ") && has_suffix(line, " installed"))
		strings_add_once(reader->installed, reader->package);
}

/* dpkg writes Status behind Package; lines longer than the buffer are descriptions and lists. */
static int read_dpkg_status(const struct guest *guest, struct status_reader *reader,
			    struct error *err)
{
	_cleanup_fclose_ FILE *file = NULL;
	char line[LINE_LIMIT];
	size_t length = 0;
	int fd;

	if (!guest_has(guest, dpkg_status))
		return 0;
	fd = guest_open_file(guest, dpkg_status, 0, err);
	if (fd < 0)
		return -1;
	file = fdopen(fd, "re");
	if (!file) {
		int number = errno;

		close(fd);
		return error_sys(err, number, "read %s in the guest", dpkg_status);
	}
	while (fgets(line, sizeof(line), file)) {
		length += strlen(line);
		if (length > STATUS_LIMIT)
			return error_set(err, "%s in the guest is larger than %d MiB", dpkg_status,
					 STATUS_LIMIT >> 20);
		read_line(reader, line);
	}
	if (ferror(file))
		return error_set(err, "read %s in the guest: input/output error", dpkg_status);
	return 0;
}

static bool has_unit(const struct guest *guest, const char *unit)
{
	static const char *const directories[] = {"/usr/lib/systemd/system", "/lib/systemd/system",
						  "/usr/local/lib/systemd/system", unit_directory};

	for (size_t i = 0; i < array_length(directories); i++) {
		_cleanup_free_ char *path = string_format("%s/%s", directories[i], unit);

		if (guest_has(guest, path))
			return true;
	}
	return false;
}

/* An empty unit file masks as a link to /dev/null does. */
static int is_masked(const struct guest *guest, const char *path, struct error *err)
{
	_cleanup_text_ struct text target = {0};
	struct stat st;

	if (guest_read_link(guest, path, &target, err) < 0)
		return -1;
	if (string_equal(text_string(&target), "/dev/null"))
		return 1;
	return !guest_stat(guest, path, 0, &st) && S_ISREG(st.st_mode) && st.st_size == 0;
}

/* What stands in the way, a unit file or an alias, goes; guest_remove() keeps the original. */
static int mask_unit(struct adaptation *adaptation, const struct change *change, struct error *err)
{
	const char *name = strrchr(change->path, '/') + 1;
	_cleanup_close_ int directory = -1;

	if (guest_remove(adaptation->guest, change->path, err))
		return error_in(err, "mask %s", name);
	directory = guest_open_file(adaptation->guest, unit_directory, O_DIRECTORY, err);
	if (directory < 0)
		return error_in(err, "mask %s", name);
	if (symlinkat("/dev/null", directory, name) || fsync(directory))
		return error_sys(err, errno, "mask %s", name);
	return 0;
}

static int plan_tool(struct adaptation *adaptation, struct changes *changes,
		     const struct guest_tool *tool, struct error *err)
{
	_cleanup_free_ char *path = string_format("%s/%s", unit_directory, tool->unit);
	_cleanup_free_ char *why = NULL;
	int masked;

	if (!*tool->unit || !has_unit(adaptation->guest, tool->unit) ||
	    !guest_has(adaptation->guest, unit_directory))
		return 0;
	masked = is_masked(adaptation->guest, path, err);
	if (masked)
		return masked < 0 ? -1 : 0;
	why = string_format("masked: %s serves %s, which is not here; the package stays",
			    tool->package, tool->hypervisor);
	changes_call(changes, step_name, path, why, mask_unit);
	return 0;
}

static void report_installed(struct adaptation *adaptation, const struct strings *installed)
{
	json_object *list = json_object_new_array();

	for (size_t i = 0; i < installed->count; i++)
		json_object_array_add(list, json_object_new_string(installed->item[i]));
	report_fact(adaptation->report, "guest_tools", list);
}

static int tools_plan(struct adaptation *adaptation, struct changes *changes, struct error *err)
{
	_cleanup_strings_ struct strings installed = {0};
	struct status_reader reader = {.installed = &installed};

	reader.tool = drivers_db_guest_tools(adaptation->db, &reader.tool_count);
	if (read_dpkg_status(adaptation->guest, &reader, err))
		return -1;
	report_installed(adaptation, &installed);
	for (size_t i = 0; i < reader.tool_count; i++) {
		if (plan_tool(adaptation, changes, &reader.tool[i], err))
			return -1;
	}
	return 0;
}

const struct step_ops step_tools = {
	.name = step_name,
	.plan = tools_plan,
};
