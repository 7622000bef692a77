// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/initramfs_build.h"

#include <string.h>
#include <sys/stat.h>

#include "adapt/initramfs_image.h"
#include "adapt/initramfs_install.h"
#include "adapt/initramfs_tool.h"
#include "base/scope.h"

#define STEP "initramfs"
#define WORK_DIRECTORY "/var/lib/v2p"

enum { BUILD_TIMEOUT_MS = 60 * 60000 }; /* an emulated machine takes many minutes */

static struct guest_kernel *find_kernel(const struct guest *guest, const char *release)
{
	for (size_t i = 0; i < guest->kernel_count; i++)
		if (strcmp(guest->kernel[i].release, release) == 0)
			return &guest->kernel[i];
	return NULL;
}

/* Is everything on the way to the root known, so that a list of modules is complete? */
static bool is_root_known(const struct guest *guest)
{
	for (size_t i = 0; i < guest->mount_count; i++)
		if (strcmp(guest->mount[i].where, "/") == 0)
			return guest->mount[i].device != NULL;
	return false;
}

static int run_tool(const struct adaptation *adaptation, const struct initramfs_image *image,
		    enum initramfs_modules modules, const char *built, struct error *err)
{
	struct guest *guest = adaptation->guest;
	const struct initramfs_ops *ops = initramfs_ops_find(guest);
	_cleanup_strings_ struct strings argv = {0};
	_cleanup_error_ struct error failure = {0};

	ops->build(guest, image->kernel, modules, built, &argv);
	if (guest_run(guest, ops->permission, (const char *const *)argv.item, NULL,
		      BUILD_TIMEOUT_MS, NULL, &failure) == 0)
		return 0;
	if (!ops->fails_lightly || !guest_has(guest, built))
		return error_set(err, "%s", error_text(&failure));
	report_warning(adaptation->report, "%s; its image is taken if it holds what is needed",
		       error_text(&failure));
	return 0;
}

static int check_room(const struct guest *guest, const char *built, const char *beside,
		      struct error *err)
{
	struct stat st;

	if (guest_stat(guest, built, 1, &st) < 0)
		return error_set(err, "the program made no image");
	return initramfs_check_space(guest, beside, INITRAMFS_EXACTLY, (uint64_t)st.st_size, err);
}

/* One that fits only this machine is better than none where /boot is small. */
static int build_to_fit(struct adaptation *adaptation, const struct initramfs_image *image,
			const char *built, const char *beside, struct error *err)
{
	struct guest *guest = adaptation->guest;
	bool can_list = initramfs_ops_find(guest)->can_list && is_root_known(guest);
	enum initramfs_modules modules = can_list ? adaptation->initramfs : INITRAMFS_MOST;
	_cleanup_error_ struct error full = {0};

	if (run_tool(adaptation, image, modules, built, err) < 0)
		return -1;
	if (check_room(guest, built, beside, &full) == 0)
		return 0;
	if (!can_list || modules == INITRAMFS_LIST)
		return error_set(err, "%s", error_text(&full));
	report_warning(adaptation->report,
		       "initramfs of %s: %s; it is built with the drivers of this machine alone",
		       image->kernel->release, error_text(&full));
	return run_tool(adaptation, image, INITRAMFS_LIST, built, err);
}

/* Builds in built, proves it at its place in /boot, and only then replaces the old one. */
static int build(struct adaptation *adaptation, const struct initramfs_image *image,
		 const char *built, struct error *err)
{
	_cleanup_free_ char *beside = string_format("%s.v2p-new", image->path);
	struct guest *guest = adaptation->guest;

	if (build_to_fit(adaptation, image, built, beside, err) < 0 ||
	    initramfs_copy(guest, built, beside, err) < 0)
		return -1;
	if (initramfs_image_check(guest, image, beside, err) < 0 ||
	    guest_rename(guest, beside, image->path, err) < 0) {
		initramfs_discard(guest, beside);
		return -1;
	}
	return 0;
}

bool initramfs_is_default(const struct guest *guest, const struct guest_kernel *kernel)
{
	return kernel == packs_default_kernel(guest);
}

/* A kernel that is not the one that starts must not keep that one from starting. */
static int rebuild_failed(const struct adaptation *adaptation, const struct guest_kernel *kernel,
			  struct error *err)
{
	error_in(err, "initramfs of %s (the old one stays)", kernel->release);
	if (initramfs_is_default(adaptation->guest, kernel))
		return -1;
	report_check(adaptation->report, false, "every kernel's initramfs is built",
		     error_text(err));
	return 1;
}

static int rebuild(struct adaptation *adaptation, const struct change *change, struct error *err)
{
	const char *release = strrchr(change->path, ' ') + 1;
	struct guest_kernel *kernel = find_kernel(adaptation->guest, release);
	_cleanup_free_ char *built = string_format(WORK_DIRECTORY "/initrd-%s", release);
	_cleanup_initramfs_image_ struct initramfs_image image = {0};
	const struct changes none = {0};
	double start = clock_seconds();
	int r = initramfs_image_examine(adaptation, &none, kernel, &image, err);

	if (r == 0)
		r = initramfs_prepare(adaptation->guest, built, err);
	if (r == 0) {
		r = build(adaptation, &image, built, err);
		initramfs_discard(adaptation->guest, built);
	}
	if (r < 0)
		return rebuild_failed(adaptation, kernel, err);
	if (!kernel->initramfs)
		kernel->initramfs = steal(&image.path);
	report_timing(adaptation->report, change->path, clock_seconds() - start, 0);
	return 0;
}

int initramfs_plan_build(const struct adaptation *adaptation, struct changes *changes,
			 const struct guest_kernel *kernel, const char *why, struct error *err)
{
	_cleanup_free_ char *path = initramfs_path(adaptation->guest, kernel);
	_cleanup_free_ char *what = string_format("initramfs of %s", kernel->release);

	if (initramfs_check_space(adaptation->guest, path, INITRAMFS_AT_LEAST, 0, err) < 0) {
		if (initramfs_is_default(adaptation->guest, kernel))
			return error_in(err, "%s", what);
		report_warning(adaptation->report, "%s is not built anew: %s", what,
			       error_text(err));
		error_release(err);
		return 0;
	}
	changes_call(changes, STEP, what, why, rebuild);
	return 0;
}
