// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/boot_initramfs.h"

#include <string.h>

#include "adapt/drivers_db.h"
#include "adapt/initramfs_image.h"
#include "base/scope.h"

enum { NAMES_IN_REASON = 4 };

static bool is_built(const struct changes *changes)
{
	for (size_t i = 0; i < changes->count; i++)
		if (changes->item[i].kind == CHANGE_CALL &&
		    strcmp(changes->item[i].step, step_initramfs.name) == 0)
			return true;
	return false;
}

/* Does the file hold the module: kernel/drivers/ata/ahci.ko.xz and "ahci"? */
static bool is_file_of(const char *file, const char *module)
{
	const char *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file;
	_cleanup_free_ char *bare = string_format("%.*s", (int)strcspn(name, "."), name);

	return drivers_is_same_module(bare, module);
}

/* The device whose driver is among the files that the image lacks, or NULL. */
static const struct driver_match *find_stranded(const struct driver_matches *matches,
						const struct strings *missing)
{
	for (size_t i = 0; i < matches->count; i++) {
		const struct driver_match *match = &matches->item[i];

		if (!match->is_boot_critical || !match->is_required ||
		    match->verdict != VERDICT_MODULE)
			continue;
		for (size_t j = 0; j < missing->count; j++)
			if (is_file_of(missing->item[j], match->modules.item[0]))
				return match;
	}
	return NULL;
}

int boot_initramfs_check(const struct adaptation *adaptation, const struct changes *changes,
			 const struct guest_kernel *kernel, const struct driver_matches *matches,
			 struct boot_answer *answer, struct error *err)
{
	static const char advice[] = "build it anew in the image, with the drivers of this machine";
	_cleanup_initramfs_image_ struct initramfs_image image = {0};
	_cleanup_strings_ struct strings missing = {0};
	_cleanup_free_ char *names = NULL;
	const struct driver_match *stranded;

	if (is_built(changes))
		return 0;
	if (initramfs_image_examine(adaptation, changes, kernel, &image, err) < 0)
		return -1;
	if (image.why_not && kernel->initramfs) {
		boot_answer_add(answer, BOOT_UNKNOWN, advice,
				"the initramfs of kernel %s cannot be read (%s), and is not built "
				"anew",
				kernel->release, image.why_not);
		return 0;
	}
	initramfs_missing(&image.content.names, kernel->release, &image.set.required, &missing);
	stranded = find_stranded(matches, &missing);
	names = initramfs_names(&image.missing, NAMES_IN_REASON);
	if (stranded)
		boot_answer_add(answer, BOOT_WILL_NOT, advice,
				"the initramfs of kernel %s is not built anew and lacks %s, which "
				"drives %s",
				kernel->release, stranded->modules.item[0], stranded->device->slot);
	else if (image.missing.count)
		boot_answer_add(answer, BOOT_WILL_BUT, advice,
				"the initramfs of kernel %s is not built anew and lacks %s: it may "
				"not find its root",
				kernel->release, names);
	return 0;
}
