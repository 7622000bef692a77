// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/initramfs_image.h"

#include <string.h>

#include "adapt/initramfs_tool.h"
#include "base/scope.h"

enum {
	NAMES_IN_REASON = 4,
	OTHERS_TRIED = 2, /* a damaged image may take long to read */
};

/* A keyboard for the shell of the initramfs; those on PS/2 are driven by every kernel itself. */
static const char *const keyboard[] = {"hid_generic", "usbhid"};

/* What the root needs above its disk, and a person who has to look. */
static void extra_modules(const struct guest *guest, const struct initramfs_needs *needs,
			  struct strings *out)
{
	for (size_t i = 0; i < array_length(keyboard); i++)
		strings_add(out, keyboard[i]);
	for (size_t i = 0; i < guest->mount_count; i++) {
		const struct guest_mount *mount = &guest->mount[i];

		if (strcmp(mount->where, "/") != 0 && strcmp(mount->where, "/usr") != 0)
			continue;
		if (mount->filesystem)
			strings_add_once(out, mount->filesystem);
		if (mount->volume)
			strings_add_once(out, "dm_mod");
	}
	if (needs->has_lvm)
		strings_add_once(out, "dm_mod");
	if (needs->has_crypt)
		strings_add_once(out, "dm_crypt");
}

static int find_drivers(const struct adaptation *adaptation, struct initramfs_image *image,
			struct error *err)
{
	_cleanup_strings_ struct strings extra = {0};
	const char *release = image->kernel->release;

	extra_modules(adaptation->guest, &image->needs, &extra);
	if (drivers_for_boot(adaptation->db, adaptation->hardware, adaptation->guest, release,
			     &extra, &image->set, err) < 0)
		return error_in(err, "drivers of kernel %s", release);
	initramfs_firmware(adaptation->guest, release, &image->set.required, &image->firmware);
	return 0;
}

/* Needs are the same for all kernels: one without an image of its own learns from another. */
static void find_needs(const struct guest *guest, const struct changes *changes,
		       struct initramfs_image *image)
{
	size_t tried = 0;

	for (size_t i = 0; image->why_not && tried < OTHERS_TRIED && i < guest->kernel_count; i++) {
		_cleanup_initramfs_content_ struct initramfs_content other = {0};

		if (!guest->kernel[i].initramfs || &guest->kernel[i] == image->kernel)
			continue;
		tried++;
		if (initramfs_open(guest, guest->kernel[i].initramfs, &other, NULL) < 0)
			continue;
		initramfs_needs_find(guest, changes, &other, &image->needs);
		return;
	}
	initramfs_needs_find(guest, changes, image->why_not ? NULL : &image->content,
			     &image->needs);
}

static void find_missing(const struct initramfs_image *image,
			 const struct initramfs_content *content, struct strings *missing)
{
	const struct initramfs_requirements required = {.release = image->kernel->release,
							.modules = &image->set.required,
							.firmware = &image->firmware,
							.needs = &image->needs};

	initramfs_lacks(content, &required, missing);
}

int initramfs_image_examine(const struct adaptation *adaptation, const struct changes *changes,
			    const struct guest_kernel *kernel, struct initramfs_image *out,
			    struct error *err)
{
	const struct guest *guest = adaptation->guest;
	_cleanup_error_ struct error unread = {0};

	*out = (struct initramfs_image){.kernel = kernel, .path = initramfs_path(guest, kernel)};
	if (initramfs_open(guest, out->path, &out->content, &unread) < 0)
		out->why_not = string_copy(error_text(&unread));
	find_needs(guest, changes, out);
	if (find_drivers(adaptation, out, err) < 0)
		return -1;
	find_missing(out, &out->content, &out->missing);
	return 0;
}

void initramfs_image_release(struct initramfs_image *image)
{
	free(image->path);
	driver_set_release(&image->set);
	strings_release(&image->firmware);
	initramfs_needs_release(&image->needs);
	initramfs_content_release(&image->content);
	free(image->why_not);
	strings_release(&image->missing);
	*image = (struct initramfs_image){0};
}

int initramfs_image_check(const struct guest *guest, const struct initramfs_image *image,
			  const char *path, struct error *err)
{
	_cleanup_initramfs_content_ struct initramfs_content content = {0};
	_cleanup_strings_ struct strings missing = {0};
	_cleanup_free_ char *names = NULL;

	if (initramfs_open(guest, path, &content, err) < 0)
		return error_in(err, "the new initramfs cannot be read");
	find_missing(image, &content, &missing);
	names = initramfs_names(&missing, NAMES_IN_REASON);
	return missing.count ? error_set(err, "the new initramfs lacks %s", names) : 0;
}

char *initramfs_names(const struct strings *names, size_t most)
{
	_cleanup_strings_ struct strings shown = {0};

	for (size_t i = 0; i < names->count && i < most; i++)
		strings_add(&shown, names->item[i]);
	if (names->count > most)
		strings_addf(&shown, "%zu more", names->count - most);
	return strings_join(&shown, ", ");
}
