// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * step initramfs: every kernel's initramfs holds what reaches the root on this machine's storage.
 *
 * initramfs-tools is told by two files, a drop-in that sorts after the guest's own (mkinitramfs
 * reads conf.d/ in order, behind initramfs.conf, the last one wins) and a marked block in
 * `modules`. mkinitramfs then builds beside the old image, which is replaced only when the new one
 * was opened and holds the modules.
 *
 * Later updates by the guest itself are made with MODULES=most and the block. The image made now
 * holds just the block and what the guest's hooks add (V2P_MODULES=list): a quarter of the size and
 * a tenth of the time, and it is proven for this machine. Where the root is not a partition or
 * volume that v2p mounted itself, it is made with MODULES=most too.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "adapt/initramfs_audit.h"
#include "adapt/initramfs_install.h"
#include "adapt/step.h"
#include "base/scope.h"

#define STEP "initramfs"
#define DROP_IN "/etc/initramfs-tools/conf.d/zz-v2p"
#define MODULES "/etc/initramfs-tools/modules"
#define BLOCK_BEGIN "# BEGIN v2p: what drives the storage of this machine\n"
#define BLOCK_END "# END v2p\n"
#define WORK_DIRECTORY "/var/lib/v2p"

enum {
	BUILD_TIMEOUT_MS = 30 * 60000, /* an emulated machine takes minutes */
	NAMES_IN_REASON = 4,
	NAMES_IN_PROOF = 12,
};

static const char drop_in[] =
	"# Written by v2p when this system was moved to other hardware. MODULES=dep would look\n"
	"# for the drivers of the machine that builds the image. To undo: remove this file and\n"
	"# run update-initramfs -u -k all.\n"
	"MODULES=${V2P_MODULES:-most}\n";

/* Files that the initramfs carries copies of: a change of one asks for a new image. */
static const char *const copied[] = {
	"/etc/initramfs-tools/", "/etc/crypttab", "/etc/systemd/network/", "/etc/udev/rules.d/",
	"/etc/modprobe.d/",      "/etc/lvm/",     "/etc/mdadm/",
};

static const char *image_path(const struct guest_kernel *kernel, char **path)
{
	*path = kernel->initramfs ? string_copy(kernel->initramfs)
				  : string_format("/boot/initrd.img-%s", kernel->release);
	return *path;
}

static struct guest_kernel *find_kernel(const struct guest *guest, const char *release)
{
	for (size_t i = 0; i < guest->kernel_count; i++)
		if (strcmp(guest->kernel[i].release, release) == 0)
			return &guest->kernel[i];
	return NULL;
}

/* A keyboard for the shell of the initramfs; those on PS/2 are driven by every kernel itself. */
static const char *const keyboard[] = {"hid_generic", "usbhid"};

/* What the root needs above its disk, and a person who has to look. */
static void extra_modules(const struct guest *guest, struct strings *out)
{
	for (size_t i = 0; i < array_length(keyboard); i++)
		strings_add(out, keyboard[i]);
	for (size_t i = 0; i < guest->mount_count; i++) {
		const struct guest_mount *mount = &guest->mount[i];

		if (strcmp(mount->where, "/") != 0 && strcmp(mount->where, "/usr") != 0)
			continue;
		strings_add_once(out, mount->filesystem);
		if (mount->volume)
			strings_add_once(out, "dm_mod");
	}
}

static int drivers_of(const struct adaptation *adaptation, const char *release,
		      struct driver_set *set, struct error *err)
{
	_cleanup_strings_ struct strings extra = {0};

	extra_modules(adaptation->guest, &extra);
	if (drivers_for_boot(adaptation->db, adaptation->hardware, adaptation->guest, release,
			     &extra, set, err) < 0)
		return error_in(err, "drivers of kernel %s", release);
	return 0;
}

/* What the image lacks of required; all of it when there is no image or it cannot be read, with
 * the reason in why_not (NULL: it was read). */
static void audit(const struct guest *guest, const char *path, const char *release,
		  const struct strings *required, struct strings *missing, char **why_not)
{
	_cleanup_error_ struct error err = {0};
	_cleanup_strings_ struct strings names = {0};
	_cleanup_close_ int fd = guest_open_file(guest, path, 0, &err);

	if (fd < 0 || initramfs_list(fd, path, &names, &err) < 0)
		*why_not = string_copy(error_text(&err));
	initramfs_missing(&names, release, required, missing);
}

/* At most `most` of them, and how many more. */
static char *base_names(const struct strings *files, size_t most)
{
	_cleanup_strings_ struct strings names = {0};

	for (size_t i = 0; i < files->count && i < most; i++) {
		const char *slash = strrchr(files->item[i], '/');

		strings_add(&names, slash ? slash + 1 : files->item[i]);
	}
	if (files->count > most)
		strings_addf(&names, "%zu more", files->count - most);
	return strings_join(&names, ", ");
}

static const char *changed_copy(const struct changes *changes)
{
	for (size_t i = 0; i < changes->count; i++) {
		const struct change *change = &changes->item[i];

		if (change->kind != CHANGE_WRITE && change->kind != CHANGE_REMOVE)
			continue;
		for (size_t j = 0; j < array_length(copied); j++)
			if (has_prefix(change->path, copied[j]))
				return change->path;
	}
	return NULL;
}

/* The file with our block replaced, or added at its end. */
static char *with_block(const char *content, const struct strings *listed)
{
	const char *begin = strstr(content, BLOCK_BEGIN);
	const char *end = begin ? strstr(begin, BLOCK_END) : NULL;
	struct text out = {0};

	if (end) {
		text_add_bytes(&out, content, (size_t)(begin - content));
		text_add(&out, end + strlen(BLOCK_END));
	} else {
		text_add(&out, content);
	}
	if (out.length && out.data[out.length - 1] != '\n')
		text_add(&out, "\n");
	text_add(&out, BLOCK_BEGIN);
	for (size_t i = 0; i < listed->count; i++)
		text_addf(&out, "%s\n", listed->item[i]);
	text_add(&out, BLOCK_END);
	return text_take(&out);
}

static int plan_files(const struct adaptation *adaptation, struct changes *changes,
		      const struct strings *listed, struct error *err)
{
	const struct guest *guest = adaptation->guest;
	_cleanup_text_ struct text before = {0};
	_cleanup_free_ char *after = NULL;

	if (changes_write(changes, guest, STEP, DROP_IN, drop_in,
			  "an initramfs for this machine, not for the one that builds it", err) < 0)
		return -1;
	if (!listed->count)
		return 0;
	if (changes_read(changes, guest, MODULES, &before, err) < 0)
		return -1;
	after = with_block(text_string(&before), listed);
	return changes_write(changes, guest, STEP, MODULES, after,
			     "the drivers of this machine's storage", err);
}

static int find_required(const struct adaptation *adaptation, const char *release,
			 struct strings *required, struct error *err)
{
	struct driver_set set = {0};
	int r = drivers_of(adaptation, release, &set, err);

	for (size_t i = 0; r == 0 && i < set.required.count; i++)
		strings_add(required, set.required.item[i]);
	driver_set_release(&set);
	return r;
}

static int check_image(const struct guest *guest, const char *path, const char *release,
		       const struct strings *required, struct error *err)
{
	_cleanup_strings_ struct strings missing = {0};
	_cleanup_free_ char *why_not = NULL, *names = NULL;

	audit(guest, path, release, required, &missing, &why_not);
	if (why_not)
		return error_set(err, "the new initramfs cannot be read: %s", why_not);
	names = base_names(&missing, NAMES_IN_REASON);
	if (missing.count)
		return error_set(err, "the new initramfs lacks %s", names);
	return 0;
}

/* Is everything on the way to the root known, so that a list of modules is complete? */
static bool can_list(const struct guest *guest)
{
	for (size_t i = 0; i < guest->mount_count; i++)
		if (strcmp(guest->mount[i].where, "/") == 0)
			return guest->mount[i].device != NULL;
	return false;
}

/* Builds in built, proves it at its place in /boot, and only then replaces the old one. */
static int build(struct adaptation *adaptation, const char *release, const char *built,
		 const char *path, struct error *err)
{
	const char *modules = can_list(adaptation->guest) ? "V2P_MODULES=list" : "V2P_MODULES=most";
	const char *argv[] = {"env", modules, "mkinitramfs", "-o", built, release, NULL};
	_cleanup_strings_ struct strings required = {0};
	_cleanup_free_ char *beside = string_format("%s.v2p-new", path);
	struct guest *guest = adaptation->guest;

	if (find_required(adaptation, release, &required, err) < 0 ||
	    guest_run(guest, GUEST_RUN_FILES, argv, NULL, BUILD_TIMEOUT_MS, NULL, err) < 0 ||
	    initramfs_copy(guest, built, beside, err) < 0)
		return -1;
	if (check_image(guest, beside, release, &required, err) < 0 ||
	    guest_rename(guest, beside, path, err) < 0) {
		initramfs_discard(guest, beside);
		return -1;
	}
	return 0;
}

/* The newest that can be started; directories of modules without a kernel may be newer. */
static bool is_default(const struct guest *guest, const struct guest_kernel *kernel)
{
	for (size_t i = 0; i < guest->kernel_count; i++)
		if (guest->kernel[i].image)
			return kernel == &guest->kernel[i];
	return false;
}

/* A kernel that is not the one that starts must not keep that one from starting. */
static int rebuild_failed(const struct adaptation *adaptation, const struct guest_kernel *kernel,
			  struct error *err)
{
	error_in(err, "initramfs of %s (the old one stays)", kernel->release);
	if (is_default(adaptation->guest, kernel))
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
	_cleanup_free_ char *path = NULL;
	double start = clock_seconds();
	int r;

	image_path(kernel, &path);
	if (initramfs_prepare(adaptation->guest, built, err) < 0)
		return -1;
	r = build(adaptation, release, built, path, err);
	initramfs_discard(adaptation->guest, built);
	if (r < 0)
		return rebuild_failed(adaptation, kernel, err);
	if (!kernel->initramfs)
		kernel->initramfs = steal(&path);
	report_timing(adaptation->report, change->path, clock_seconds() - start, 0);
	return 0;
}

static int plan_rebuild(const struct adaptation *adaptation, struct changes *changes,
			const struct guest_kernel *kernel, const char *why, struct error *err)
{
	_cleanup_free_ char *path = NULL, *what = NULL;

	image_path(kernel, &path);
	if (initramfs_check_space(adaptation->guest, path, INITRAMFS_AT_LEAST, 0, err) < 0)
		return error_in(err, "initramfs of %s", kernel->release);
	what = string_format("initramfs of %s", kernel->release);
	changes_call(changes, STEP, what, why, rebuild);
	return 0;
}

/* What is decided for all kernels before anything is planned, since the files come first. */
struct decision {
	struct strings listed;
	char **why; /* per kernel: why its image is built anew; NULL: it stays */
	size_t rebuilds;
};

static void decide(const struct adaptation *adaptation, const struct changes *changes,
		   const struct guest_kernel *kernel, const struct driver_set *set, char **why)
{
	const char *changed = changed_copy(changes);
	_cleanup_strings_ struct strings missing = {0};
	_cleanup_free_ char *why_not = NULL, *path = NULL, *names = NULL;

	image_path(kernel, &path);
	audit(adaptation->guest, path, kernel->release, &set->required, &missing, &why_not);
	names = base_names(&missing, NAMES_IN_REASON);
	if (why_not && (kernel->initramfs || missing.count))
		*why = string_copy(why_not);
	else if (missing.count)
		*why = string_format("it lacks %s", names);
	else if (changed && kernel->initramfs)
		*why = string_format("it holds a copy of %s", changed);
}

/* A kernel whose modules cannot be looked up must not keep the others from starting; verify says
 * that it is not proven. */
static void consider(struct adaptation *adaptation, const struct changes *changes,
		     const struct guest_kernel *kernel, struct decision *decision, char **why)
{
	_cleanup_error_ struct error err = {0};
	struct driver_set set = {0};

	if (drivers_of(adaptation, kernel->release, &set, &err) < 0)
		report_warning(adaptation->report,
			       "%s; its initramfs is left as it is, and it may not find its root",
			       error_text(&err));
	else
		decide(adaptation, changes, kernel, &set, why);
	for (size_t i = 0; i < set.missing.count; i++)
		report_warning(adaptation->report, "kernel %s: %s", kernel->release,
			       set.missing.item[i]);
	decision->rebuilds += *why != NULL;
	for (size_t i = 0; *why && i < set.listed.count; i++)
		strings_add_once(&decision->listed, set.listed.item[i]);
	driver_set_release(&set);
}

static void consider_all(struct adaptation *adaptation, const struct changes *changes,
			 struct decision *decision)
{
	const struct guest *guest = adaptation->guest;

	for (size_t i = 0; i < guest->kernel_count; i++)
		if (guest->kernel[i].image)
			consider(adaptation, changes, &guest->kernel[i], decision,
				 &decision->why[i]);
}

static void warn_unsupported(const struct adaptation *adaptation, const struct decision *decision)
{
	const struct guest *guest = adaptation->guest;

	for (size_t i = 0; i < guest->kernel_count; i++)
		if (decision->why[i])
			report_warning(
				adaptation->report,
				"the initramfs of %s should be built anew (%s), but building "
				"with %s is not supported yet: build it yourself, or this "
				"kernel may not find its root",
				guest->kernel[i].release, decision->why[i],
				guest_initramfs_tool_name(guest->initramfs_tool));
}

static int plan_decision(struct adaptation *adaptation, struct changes *changes,
			 const struct decision *decision, struct error *err)
{
	const struct guest *guest = adaptation->guest;

	if (decision->rebuilds == 0)
		return 0;
	if (guest->initramfs_tool != INITRAMFS_TOOLS) {
		warn_unsupported(adaptation, decision);
		return 0;
	}
	if (plan_files(adaptation, changes, &decision->listed, err) < 0)
		return -1;
	for (size_t i = 0; i < guest->kernel_count; i++)
		if (decision->why[i] &&
		    plan_rebuild(adaptation, changes, &guest->kernel[i], decision->why[i], err) < 0)
			return -1;
	return 0;
}

static int initramfs_plan(struct adaptation *adaptation, struct changes *changes, struct error *err)
{
	size_t count = adaptation->guest->kernel_count;
	struct decision decision = {.why = calloc(count + 1, sizeof(char *))};
	int r;

	if (!decision.why)
		abort();
	consider_all(adaptation, changes, &decision);
	r = plan_decision(adaptation, changes, &decision, err);
	for (size_t i = 0; i < count; i++)
		free(decision.why[i]);
	free(decision.why);
	strings_release(&decision.listed);
	return r;
}

static void prove_image(const struct adaptation *adaptation, const struct guest_kernel *kernel,
			const struct driver_set *set)
{
	_cleanup_strings_ struct strings missing = {0};
	_cleanup_free_ char *path = NULL, *why_not = NULL, *names = NULL, *check = NULL;
	_cleanup_free_ char *detail = NULL;

	image_path(kernel, &path);
	audit(adaptation->guest, path, kernel->release, &set->required, &missing, &why_not);
	names = base_names(missing.count ? &missing : &set->required, NAMES_IN_PROOF);
	check = string_format("initramfs of %s", kernel->release);
	if (why_not && (kernel->initramfs || missing.count))
		detail = string_copy(why_not);
	else
		detail = string_format("%s %s", missing.count ? "lacks" : "holds",
				       *names ? names : "all it needs: the drivers are built in");
	report_check(adaptation->report, missing.count == 0 && !(why_not && kernel->initramfs),
		     check, detail);
}

/* Devices that a kernel cannot drive matter for the one that starts by default. */
static void prove_devices(const struct adaptation *adaptation, const struct guest_kernel *kernel,
			  const struct driver_set *set)
{
	_cleanup_free_ char *check = string_format("drivers of kernel %s", kernel->release);
	_cleanup_free_ char *detail = strings_join(&set->missing, "; ");

	if (set->missing.count && is_default(adaptation->guest, kernel))
		report_check(adaptation->report, false, check, detail);
}

static void prove_kernel(const struct adaptation *adaptation, const struct guest_kernel *kernel)
{
	_cleanup_free_ char *check = string_format("drivers of kernel %s", kernel->release);
	_cleanup_error_ struct error err = {0};
	struct driver_set set = {0};

	if (drivers_of(adaptation, kernel->release, &set, &err) < 0) {
		report_check(adaptation->report, false, check, error_text(&err));
	} else {
		prove_image(adaptation, kernel, &set);
		prove_devices(adaptation, kernel, &set);
	}
	driver_set_release(&set);
}

static int initramfs_verify(struct adaptation *adaptation, struct error *err)
{
	const struct guest *guest = adaptation->guest;

	(void)err;
	for (size_t i = 0; i < guest->kernel_count; i++)
		if (guest->kernel[i].image)
			prove_kernel(adaptation, &guest->kernel[i]);
	return 0;
}

const struct step_ops step_initramfs = {
	.name = STEP,
	.plan = initramfs_plan,
	.verify = initramfs_verify,
};
