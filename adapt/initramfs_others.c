// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/initramfs_others.h"

#include "base/scope.h"

static const struct {
	const char *directory, *pattern;
	const char *follows; /* for the user; NULL: nothing */
} others[] = {
	/* kexec-tools of Red Hat, kdump of SUSE, kdump-tools of Debian. */
	{"/boot", "initramfs-*kdump.img",
	 "it is kdump's: until kdump builds it anew, crash dumps may not be saved here"},
	{"/boot", "initrd-*-kdump",
	 "it is kdump's: until kdump builds it anew, crash dumps may not be saved here"},
	{"/var/lib/kdump", "init*",
	 "it is kdump's: until kdump builds it anew, crash dumps may not be saved here"},
	/* Made without regard to a machine. */
	{"/boot", "initramfs-0-rescue-*", NULL},
	{"/boot", "initrd-0-rescue-*", NULL},
	{"/boot", "initramfs-*-fallback.img", NULL},
};

void initramfs_others_report(const struct guest *guest, struct report *report)
{
	json_object *list = json_object_new_array();

	for (size_t i = 0; i < array_length(others); i++) {
		_cleanup_strings_ struct strings paths = {0};

		if (guest_glob(guest, others[i].directory, others[i].pattern, &paths, NULL) < 0)
			continue;
		for (size_t j = 0; j < paths.count; j++) {
			json_object_array_add(list, json_object_new_string(paths.item[j]));
			if (others[i].follows)
				report_warning(report, "%s is left as it is: %s", paths.item[j],
					       others[i].follows);
		}
	}
	if (json_object_array_length(list))
		report_fact(report, "initramfs-left", list);
	else
		json_object_put(list);
}
