// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/firmware_files.h"

#include <string.h>

#include "base/scope.h"

/* In the order in which the kernel looks (fw_path); RELEASE is put where there is a %. The last is
 * for guests whose /lib is not a link to /usr/lib. */
static const char *const directories[] = {
	"/lib/firmware/updates/%", "/lib/firmware/updates", "/lib/firmware/%",
	"/lib/firmware",           "/usr/lib/firmware",
};
static const char *const suffixes[] = {"", ".xz", ".zst"};

static char *directory_path(const char *directory, const char *release)
{
	const size_t length = strlen(directory);

	if (directory[length - 1] != '%')
		return string_copy(directory);
	return string_format("%.*s%s", (int)length - 1, directory, release);
}

/* The pattern is the module's, the names are the guest's: neither is trusted. */
static bool has_match(const struct guest *guest, const char *path)
{
	_cleanup_free_ char *directory = string_copy(path);
	_cleanup_strings_ struct strings names = {0};
	char *slash = strrchr(directory, '/');

	*slash = '\0';
	if (guest_list(guest, directory, &names, NULL) < 0)
		return false;
	for (size_t i = 0; i < names.count; i++)
		if (string_matches(slash + 1, names.item[i]))
			return true;
	return false;
}

static bool has_file(const struct guest *guest, const char *path)
{
	struct stat st;

	if (strpbrk(path, "*?"))
		return has_match(guest, path);
	return guest_stat(guest, path, 1, &st) == 0 && S_ISREG(st.st_mode);
}

bool firmware_exists(const struct guest *guest, const char *release, const char *name)
{
	for (size_t i = 0; i < array_length(directories); i++) {
		_cleanup_free_ char *directory = directory_path(directories[i], release);

		for (size_t j = 0; j < array_length(suffixes); j++) {
			_cleanup_free_ char *path =
				string_format("%s/%s%s", directory, name, suffixes[j]);

			if (has_file(guest, path))
				return true;
		}
	}
	return false;
}
