// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/initramfs_tool.h"

#include <string.h>

#include "base/scope.h"

static const struct initramfs_ops *const all[] = {
	&initramfs_tools,
	&initramfs_dracut,
	&initramfs_mkinitcpio,
	&initramfs_mkinitrd,
};

/* Distributions that name images in their own way, whatever tool makes them. */
static const struct {
	const char *family, *image, *suffix;
} names[] = {
	{"debian", "/boot/initrd.img-", ""},
	{"ubuntu", "/boot/initrd.img-", ""},
	{"suse", "/boot/initrd-", ""},
	{"opensuse", "/boot/initrd-", ""},
};

const struct initramfs_ops *initramfs_ops_find(const struct guest *guest)
{
	for (size_t i = 0; i < array_length(all); i++)
		if (all[i]->tool == guest->initramfs_tool)
			return all[i];
	return NULL;
}

const char *initramfs_modules_name(enum initramfs_modules modules)
{
	return modules == INITRAMFS_LIST ? "list" : "most";
}

char *initramfs_path(const struct guest *guest, const struct guest_kernel *kernel)
{
	const struct initramfs_ops *ops = initramfs_ops_find(guest);

	if (kernel->initramfs)
		return string_copy(kernel->initramfs);
	for (size_t i = 0; i < array_length(names); i++)
		if (guest_is_of_family(guest, names[i].family))
			return string_format("%s%s%s", names[i].image, kernel->release,
					     names[i].suffix);
	return string_format("%s%s%s", ops ? ops->new_image : "/boot/initrd.img-", kernel->release,
			     ops ? ops->suffix : "");
}
