// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Packages are copied into the guest, looked at, tried (--dry-run, --test), and installed together.
 * A trial first, because a package manager that gives up half-way leaves a guest that it refuses to
 * work on.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "adapt/guest_private.h"
#include "adapt/pack_install.h"
#include "adapt/pack_package.h"
#include "base/scope.h"

#define WORK_DIRECTORY "/var/lib/v2p/packs"

enum { INSTALL_TIMEOUT_MS = 60 * 60000 }; /* an initramfs for all hardware, emulated */

/* The packages of one kind, as files in the guest. */
struct batch {
	struct guest *guest;
	struct strings files;
};

static void batch_release(struct batch *batch)
{
	for (size_t i = 0; i < batch->files.count; i++)
		guest_remove(batch->guest, batch->files.item[i], NULL);
	strings_release(&batch->files);
}

static int create(struct guest *guest, const char *path, struct error *err)
{
	_cleanup_place_ struct guest_place place = {.directory = -1};
	int fd;

	if (guest_place_find(guest, path, GUEST_NOFOLLOW, 0700, &place, err) < 0)
		return -1;
	unlinkat(place.directory, place.name, 0);
	fd = openat(place.directory, place.name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    0600);
	return fd < 0 ? error_sys(err, errno, "create %s in the guest", path) : fd;
}

static bool has_same(const struct strings *a, const struct strings *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->item[i], b->item[i]) != 0)
			return false;
	return true;
}

/* The choice was made by what the index says: an index that was written by hand may lack a
 * dependency, and dpkg would leave the package half installed. */
static int check_package(int fd, const struct pack_entry *entry, struct error *err)
{
	_cleanup_pack_index_ struct pack_index index = {0};
	struct pack_entry *real = pack_index_add(&index, entry->label);
	const char *path = entry->file[0].path;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return error_sys(err, errno, "read %s", path);
	if (pack_package_describe(fd, path, real, err) < 0)
		return -1;
	if (strcmp(real->package, entry->package) != 0 ||
	    strcmp(real->version, entry->version) != 0 ||
	    strcmp(real->architecture, entry->architecture) != 0)
		return error_set(err,
				 "%s is %s %s for %s, and the index of its pack says %s %s "
				 "for %s",
				 path, real->package, real->version, real->architecture,
				 entry->package, entry->version, entry->architecture);
	if (!has_same(&real->depends, &entry->depends))
		return error_set(err,
				 "%s needs other packages than the index of its pack says: "
				 "write the index with `v2p pack build`",
				 path);
	return 0;
}

static int copy_in(struct batch *batch, const struct pack_pick *pick, struct error *err)
{
	const struct pack_file *file = &pick->entry->file[0];
	_cleanup_free_ char *path = string_format(WORK_DIRECTORY "/%zu%s", batch->files.count,
						  strrchr(file->path, '.'));
	_cleanup_close_ int fd = create(batch->guest, path, err);

	if (fd < 0)
		return -1;
	strings_add(&batch->files, path);
	if (pack_copy(pick->pack, file, fd, err) < 0 || check_package(fd, pick->entry, err) < 0)
		return -1;
	return 0;
}

static int check_space(const struct guest *guest, const struct pack_choice *choice,
		       struct error *err)
{
	_cleanup_free_ char *needs = NULL, *has = NULL;
	uint64_t available, wanted = 0;

	for (size_t i = 0; i < choice->count; i++)
		if (choice->pick[i].entry->kind == PACK_PACKAGE)
			wanted += choice->pick[i].entry->file[0].size +
				  choice->pick[i].entry->installed_size;
	if (guest_free_space(guest, "/var/lib", &available, err) < 0)
		return -1;
	if (available >= wanted)
		return 0;
	needs = size_format(wanted);
	has = size_format(available);
	return error_set(err,
			 "the guest is too full: the packages need %s, and %s are free; remove "
			 "what is not needed from the image",
			 needs, has);
}

/*
 * Hooks of a kernel package make an initramfs and a boot menu. v2p makes both itself, later and for
 * this machine: Debian's hook for the one asks INITRD, the one for the other leaves a container
 * alone. /run is the sandbox's own.
 */
static const char in_container[] = "mkdir -p /run/systemd && echo v2p >/run/systemd/container && "
				   "exec \"$@\"";

static const char *const dpkg_trial[] = {"dpkg", "--dry-run", "-i", NULL};
static const char *const dpkg_install[] = {"env",
					   "INITRD=No",
					   "DEBIAN_FRONTEND=noninteractive",
					   "dpkg",
					   "--force-confdef",
					   "--force-confold",
					   "--no-triggers",
					   "-i",
					   NULL};
static const char *const dpkg_triggers[] = {
	"env", "DEBIAN_FRONTEND=noninteractive", "dpkg", "--triggers-only", "--pending", NULL};
/* -i beside the kernels that are there, -U in place of what is there. The files are proven by the
 * pack's checksums. */
static const char *const rpm_kernel_trial[] = {"rpm", "--nosignature", "--test", "-i", NULL};
static const char *const rpm_kernel[] = {"rpm", "--nosignature", "-i", NULL};
static const char *const rpm_trial[] = {"rpm", "--nosignature", "--test", "-U", NULL};
static const char *const rpm_install[] = {"rpm", "--nosignature", "-U", NULL};

static int run(struct guest *guest, const char *const *command, const struct strings *files,
	       struct error *err)
{
	/* Hooks of boot loaders look for the disk. */
	enum guest_permission permission = guest->disk ? GUEST_RUN_DISKS : GUEST_RUN_FILES;
	_cleanup_strings_ struct strings argv = {0};

	strings_add(&argv, "sh");
	strings_add(&argv, "-c");
	strings_add(&argv, in_container);
	strings_add(&argv, "sh");
	for (; *command; command++)
		strings_add(&argv, *command);
	for (size_t i = 0; files && i < files->count; i++)
		strings_add(&argv, files->item[i]);
	return guest_run(guest, permission, (const char *const *)argv.item, NULL,
			 INSTALL_TIMEOUT_MS, NULL, err);
}

/* A family of packages that is installed in one go. */
struct manager {
	const char *suffix;
	bool for_kernel; /* those of the version of a kernel that is new */
	const char *const *trial, *const *install, *const *afterwards;
};

static const struct manager managers[] = {
	{".deb", false, dpkg_trial, dpkg_install, dpkg_triggers},
	{".rpm", false, rpm_trial, rpm_install, NULL},
	{".rpm", true, rpm_kernel_trial, rpm_kernel, NULL},
};

/* Packages of one kernel have its version. */
static bool is_of_new_kernel(const struct pack_choice *choice, const struct pack_entry *entry)
{
	for (size_t i = 0; i < choice->count; i++) {
		const struct pack_entry *kernel = choice->pick[i].entry;

		if (kernel->release && string_equal(kernel->version, entry->version))
			return true;
	}
	return false;
}

static bool is_managed(const struct manager *manager, const struct pack_choice *choice,
		       const struct pack_entry *entry)
{
	if (entry->kind != PACK_PACKAGE || !has_suffix(entry->file[0].path, manager->suffix))
		return false;
	return strcmp(manager->suffix, ".deb") == 0 ||
	       is_of_new_kernel(choice, entry) == manager->for_kernel;
}

static int install(struct guest *guest, const struct manager *manager,
		   const struct pack_choice *choice, struct report *report, struct error *err)
{
	_cleanup_(batch_release) struct batch batch = {.guest = guest};
	_cleanup_error_ struct error why = {0};

	for (size_t i = 0; i < choice->count; i++)
		if (is_managed(manager, choice, choice->pick[i].entry) &&
		    copy_in(&batch, &choice->pick[i], err) < 0)
			return -1;
	if (!batch.files.count)
		return 0;
	if (run(guest, manager->trial, &batch.files, err) < 0)
		return error_in(err, "the guest's package manager would not install them; nothing "
				     "was installed");
	if (run(guest, manager->install, &batch.files, err) < 0)
		return error_in(err, "the guest's package manager gave up; it may ask for "
				     "repair when the system runs");
	if (manager->afterwards && run(guest, manager->afterwards, NULL, &why) < 0)
		report_warning(report,
			       "what packages left to be done later is still to be done: %s",
			       error_text(&why));
	return 0;
}

int pack_install_packages(struct guest *guest, const struct pack_choice *choice,
			  struct report *report, struct error *err)
{
	if (check_space(guest, choice, err) < 0)
		return -1;
	for (size_t i = 0; i < array_length(managers); i++)
		if (install(guest, &managers[i], choice, report, err) < 0)
			return -1;
	return 0;
}
