// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/adapt/cpio-image.h"

#include <sched.h>
#include <sys/mount.h>

#include "adapt/initramfs_audit.h"
#include "adapt/step.h"

#define RELEASE "6.1.0"
#define IMAGE "/boot/initrd.img-" RELEASE
#define AHCI "lib/modules/" RELEASE "/kernel/drivers/ata/ahci.ko"

#define BROKEN "5.10.0" /* a kernel whose module index cannot be read */

/* Stands in for the driver tables: this machine's disk hangs on an AHCI controller. */
int drivers_for_boot(const struct drivers_db *db, const struct hardware *hardware,
		     const struct guest *guest, const char *release, const struct strings *extra,
		     struct driver_set *out, struct error *err)
{
	(void)db;
	(void)guest;
	(void)extra;
	*out = (struct driver_set){0};
	if (strcmp(release, BROKEN) == 0)
		return error_set(err, "modules.dep.bin is missing");
	strings_add(&out->listed, "ahci");
	strings_add(&out->required, "kernel/drivers/ata/ahci.ko");
	if (hardware)
		strings_add(&out->missing, "no driver for 1234:5678");
	return 0;
}

void driver_set_release(struct driver_set *set)
{
	strings_release(&set->listed);
	strings_release(&set->required);
	strings_release(&set->missing);
}

struct fixture {
	struct guest guest;
	struct changes changes;
	struct report report;
	struct adaptation adaptation;
	struct error err;
};

static void open_guest(struct fixture *f)
{
	if (guest_open_root(tree, &f->guest, &f->err) < 0)
		fail_msg("%s", error_text(&f->err));
	report_init(&f->report);
	f->adaptation.guest = &f->guest;
	f->adaptation.report = &f->report;
}

static int setup(void **state)
{
	static struct fixture fixture;
	static const char *const programs[] = {"/bin/sh", "/bin/cat"};

	fixture = (struct fixture){0};
	*state = &fixture;
	tree_setup(NULL);
	tree_directory("/dev");
	tree_directory("/lib/modules/" RELEASE);
	tree_file("/boot/vmlinuz-" RELEASE, "kernel");
	tree_image(IMAGE, "init", "old");
	tree_image("/new-image", AHCI, "elf");
	tree_program("/usr/bin/env", "#!/bin/sh\nexport \"$1\"\nshift\nexec \"$@\"\n");
	tree_program("/usr/sbin/mkinitramfs", "#!/bin/sh\n"
					      "[ \"$1 $3\" = \"-o " RELEASE "\" ] || exit 9\n"
					      "cat /new-image > \"$2\"\n");
	for (size_t i = 0; i < array_length(programs); i++)
		tree_copy_program(programs[i]);
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *boot = tree_path("/boot");

	umount2(boot, MNT_DETACH);
	changes_release(&f->changes);
	report_release(&f->report);
	guest_release(&f->guest);
	error_release(&f->err);
	return tree_teardown(NULL);
}

static int plan(struct fixture *f)
{
	changes_release(&f->changes);
	return step_initramfs.plan(&f->adaptation, &f->changes, &f->err);
}

static void assert_plan(struct fixture *f)
{
	if (plan(f) < 0)
		fail_msg("%s", error_text(&f->err));
}

static int apply(struct fixture *f)
{
	if (geteuid() != 0)
		skip();
	return changes_apply(&f->changes, &f->adaptation, &f->err);
}

static void assert_applied(struct fixture *f)
{
	if (apply(f) < 0)
		fail_msg("%s", error_text(&f->err));
}

static void assert_reported(const struct fixture *f, const char *words)
{
	_cleanup_text_ struct text text = {0};

	report_render(&f->report, REPORT_BRIEF, &text);
	if (!strstr(text_string(&text), words))
		fail_msg("\"%s\" is not in: %s", words, text_string(&text));
}

/* In place of mkinitramfs. */
static void use_dracut(void)
{
	_cleanup_free_ char *program = tree_path("/usr/sbin/mkinitramfs");

	unlink(program);
	tree_program("/usr/bin/dracut", "#!/bin/sh\nshift 5\n[ \"$2\" = " RELEASE " ] || exit 9\n"
					"cat /new-image > \"$1\"\n");
}

static bool image_holds(const struct fixture *f, const char *name)
{
	_cleanup_initramfs_content_ struct initramfs_content content = {0};
	_cleanup_close_ int fd = guest_open_file(&f->guest, IMAGE, 0, NULL);

	return fd >= 0 && initramfs_read(fd, IMAGE, &content, NULL) == 0 &&
	       strings_has(&content.names, name);
}

static const char *last_check(const struct fixture *f)
{
	json_object *checks = json_object_object_get(f->report.document, "checks");
	size_t count = json_object_array_length(checks);

	assert_true(count > 0);
	return json_object_get_string(
		json_object_object_get(json_object_array_get_idx(checks, count - 1), "detail"));
}

static void an_image_without_the_driver_is_built_anew(void **state)
{
	struct fixture *f = *state;

	tree_file("/etc/initramfs-tools/modules", "# mine\ndm_mod");
	open_guest(f);
	assert_plan(f);
	assert_int_equal(f->changes.count, 3);
	assert_string_equal(f->changes.item[0].path, "/etc/initramfs-tools/conf.d/zz-v2p");
	assert_string_equal(f->changes.item[1].content,
			    "# mine\ndm_mod\n# BEGIN v2p: what drives the storage of this machine\n"
			    "ahci\n# END v2p\n");
	assert_string_equal(f->changes.item[2].path, "initramfs of " RELEASE);
	assert_string_equal(f->changes.item[2].why, "it lacks ahci.ko");
	if (apply(f) < 0)
		fail_msg("%s", error_text(&f->err));
	assert_true(image_holds(f, AHCI));
	assert_false(guest_has(&f->guest, "/var/lib/v2p/initrd-" RELEASE));
	assert_false(guest_has(&f->guest, IMAGE ".v2p-new"));
	assert_int_equal(step_initramfs.verify(&f->adaptation, NULL), 0);
	assert_false(report_has_failed_check(&f->report));
	assert_string_equal(last_check(f), "holds ahci.ko");
}

static void a_second_run_changes_nothing(void **state)
{
	struct fixture *f = *state;

	open_guest(f);
	assert_plan(f);
	if (apply(f) < 0)
		fail_msg("%s", error_text(&f->err));
	assert_plan(f);
	assert_int_equal(f->changes.count, 0);
}

static void an_image_that_holds_the_driver_stays(void **state)
{
	struct fixture *f = *state;

	tree_image(IMAGE, AHCI, "elf");
	open_guest(f);
	assert_plan(f);
	assert_int_equal(f->changes.count, 0);
}

static void a_changed_file_of_which_it_holds_a_copy_asks_for_a_new_one(void **state)
{
	struct fixture *f = *state;

	tree_image(IMAGE, AHCI, "elf");
	open_guest(f);
	changes_write(&f->changes, &f->guest, "fstab", "/etc/crypttab", "x\n", "why", NULL);
	assert_int_equal(step_initramfs.plan(&f->adaptation, &f->changes, NULL), 0);
	assert_int_equal(f->changes.count, 4);
	assert_string_equal(f->changes.item[3].why, "it holds a copy of /etc/crypttab");
}

static void a_block_of_ours_is_replaced(void **state)
{
	struct fixture *f = *state;

	tree_file("/etc/initramfs-tools/modules",
		  "# BEGIN v2p: what drives the storage of this machine\nnvme\n# END v2p\nloop\n");
	open_guest(f);
	assert_plan(f);
	assert_string_equal(f->changes.item[1].content,
			    "loop\n# BEGIN v2p: what drives the storage of this machine\n"
			    "ahci\n# END v2p\n");
}

static void a_failing_program_leaves_the_old_image(void **state)
{
	struct fixture *f = *state;

	tree_program("/usr/sbin/mkinitramfs",
		     "#!/bin/sh\necho 'cp: error writing: No space left on device' >&2\nexit 1\n");
	open_guest(f);
	assert_plan(f);
	assert_int_equal(apply(f), -1);
	assert_string_equal(
		error_text(&f->err),
		"initramfs: initramfs of " RELEASE " (the old one stays): in the "
		"guest: env V2P_MODULES=most mkinitramfs -o /var/lib/v2p/initrd-" RELEASE
		" " RELEASE " ended with status 1: cp: error writing: No space left on device");
	assert_true(image_holds(f, "init"));
	assert_false(guest_has(&f->guest, "/var/lib/v2p/initrd-" RELEASE));
}

static void a_new_image_without_the_driver_is_not_installed(void **state)
{
	struct fixture *f = *state;

	tree_image("/new-image", "init", "new");
	open_guest(f);
	assert_plan(f);
	assert_int_equal(apply(f), -1);
	assert_string_equal(error_text(&f->err),
			    "initramfs: initramfs of " RELEASE " (the old one stays): the new "
			    "initramfs lacks ahci.ko");
	assert_true(image_holds(f, "init"));
	assert_false(guest_has(&f->guest, IMAGE ".v2p-new"));
}

static void mount_small_boot(const char *options)
{
	_cleanup_free_ char *boot = tree_path("/boot");

	if (geteuid() != 0 || mount("test", boot, "tmpfs", 0, options) < 0)
		skip();
	tree_file("/boot/vmlinuz-" RELEASE, "kernel");
	tree_image(IMAGE, "init", "old");
}

static void a_full_boot_is_refused_while_planning(void **state)
{
	struct fixture *f = *state;

	mount_small_boot("size=512k");
	open_guest(f);
	assert_int_equal(plan(f), -1);
	assert_non_null(strstr(error_text(&f->err),
			       "initramfs of " RELEASE ": /boot is too full: the new initramfs "
			       "needs at least 1.0 MiB (1048"));
	assert_non_null(strstr(error_text(&f->err), "bytes) are free"));
}

/* As on a disk: what lies between the root and its partition is known. */
static void know_root(struct fixture *f)
{
	static struct guest_mount mount = {.device = (char *)"/dev/sda1", .where = (char *)"/"};

	f->guest.mount = &mount;
	f->guest.mount_count = 1;
}

static void assert_applied_on_disk(struct fixture *f)
{
	int r;

	if (geteuid() != 0)
		skip();
	know_root(f);
	r = apply(f);
	f->guest.mount = NULL;
	f->guest.mount_count = 0;
	if (r < 0)
		fail_msg("%s", error_text(&f->err));
}

static void a_list_is_taken_where_most_does_not_fit(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *large = malloc(3000001);

	memset(large, 'x', 3000000);
	large[3000000] = '\0';
	tree_image("/most-image", AHCI, large);
	tree_image("/list-image", AHCI, "elf");
	tree_program("/usr/sbin/mkinitramfs", "#!/bin/sh\ncat /$V2P_MODULES-image > \"$2\"\n");
	mount_small_boot("size=3m");
	open_guest(f);
	assert_plan(f);
	assert_applied_on_disk(f);
	assert_true(image_holds(f, AHCI));
	assert_reported(f, "it is built with the drivers of this machine alone");
}

static void a_list_is_taken_when_it_is_asked_for(void **state)
{
	struct fixture *f = *state;

	tree_program("/usr/sbin/mkinitramfs",
		     "#!/bin/sh\n[ $V2P_MODULES = list ] || exit 9\ncat /new-image > \"$2\"\n");
	open_guest(f);
	f->adaptation.initramfs = INITRAMFS_LIST;
	assert_plan(f);
	assert_applied_on_disk(f);
	assert_true(image_holds(f, AHCI));
}

static void a_boot_too_small_for_the_new_image_keeps_the_old_one(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *large = malloc(3000001);

	memset(large, 'x', 3000000);
	large[3000000] = '\0';
	tree_image("/new-image", AHCI, large);
	mount_small_boot("size=3m");
	open_guest(f);
	assert_plan(f);
	assert_int_equal(apply(f), -1);
	assert_non_null(strstr(error_text(&f->err), "/boot is too full: the new initramfs needs "
						    "3.9 MiB (404"));
	assert_true(image_holds(f, "init"));
	assert_false(guest_has(&f->guest, IMAGE ".v2p-new"));
}

static void without_a_tool_the_user_is_told_and_the_check_fails(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *program = tree_path("/usr/sbin/mkinitramfs");

	unlink(program);
	open_guest(f);
	assert_plan(f);
	assert_int_equal(f->changes.count, 0);
	assert_reported(f, "the initramfs of " RELEASE " should be built anew (it lacks ahci.ko), "
			   "but the guest has no tool for that which v2p knows: build it yourself");
	assert_int_equal(step_initramfs.verify(&f->adaptation, NULL), 0);
	assert_true(report_has_failed_check(&f->report));
	assert_string_equal(last_check(f), "lacks ahci.ko");
}

static void unified_kernel_images_are_named(void **state)
{
	struct fixture *f = *state;

	use_dracut();
	tree_file("/etc/dracut.conf", "uefi=yes\n");
	open_guest(f);
	assert_plan(f);
	assert_int_equal(f->changes.count, 0);
	assert_reported(f, "but uefi=yes in /etc/dracut.conf: unified kernel images are not "
			   "supported yet: build it yourself");
}

static void dracut_builds_and_its_image_is_proven(void **state)
{
	struct fixture *f = *state;

	use_dracut();
	tree_file("/etc/dracut.conf", "hostonly=yes\n");
	open_guest(f);
	assert_plan(f);
	assert_int_equal(f->changes.count, 2);
	assert_string_equal(f->changes.item[0].path, "/etc/dracut.conf.d/zz-v2p.conf");
	assert_string_equal(f->changes.item[0].why,
			    "hostonly=yes in /etc/dracut.conf takes what the machine has that "
			    "builds the image");
	assert_applied(f);
	assert_true(image_holds(f, AHCI));
	assert_plan(f);
	assert_int_equal(f->changes.count, 0);
}

static void an_image_with_complaints_of_mkinitcpio_is_judged_by_what_it_holds(void **state)
{
	static const char complains[] = "#!/bin/sh\ncat /new-image > \"$7\"\n"
					"echo '==> ERROR: module not found: fscache' >&2; exit 1\n";
	struct fixture *f = *state;
	_cleanup_free_ char *program = tree_path("/usr/sbin/mkinitramfs");

	unlink(program);
	tree_program("/usr/bin/env", "#!/bin/sh\nshift\nexec \"$@\"\n");
	tree_program("/usr/bin/mkinitcpio", complains);
	tree_file("/etc/mkinitcpio.conf", "HOOKS=(base)\n");
	open_guest(f);
	assert_plan(f);
	assert_applied(f);
	assert_true(image_holds(f, AHCI));
	assert_reported(f, "module not found: fscache; its image is taken if it holds what is "
			   "needed");
	tree_image("/new-image", "init", "new");
	tree_image(IMAGE, "init", "old");
	assert_plan(f);
	assert_int_equal(apply(f), -1);
	assert_non_null(strstr(error_text(&f->err), "the new initramfs lacks ahci.ko"));
}

static void what_leaves_a_driver_out_is_handled_before_the_next_update(void **state)
{
	struct fixture *f = *state;

	use_dracut();
	tree_image(IMAGE, AHCI, "elf");
	tree_file("/etc/dracut.conf", "hostonly=yes\n");
	open_guest(f);
	assert_plan(f);
	assert_int_equal(f->changes.count, 0);
	tree_file("/etc/dracut.conf", "omit_drivers+=\" ahci \"\n");
	assert_plan(f);
	assert_int_equal(f->changes.count, 1);
	assert_string_equal(f->changes.item[0].why,
			    "omit_drivers=ahci in /etc/dracut.conf leaves out a driver of this "
			    "machine");
}

static void what_assembled_the_root_in_the_vm_must_be_in_the_new_image(void **state)
{
	struct fixture *f = *state;

	use_dracut();
	tree_image(IMAGE, "etc/cmdline.d/90lvm.conf", " rd.lvm.lv=vg0/root \n");
	open_guest(f);
	assert_plan(f);
	assert_string_equal(f->changes.item[1].why, "it lacks ahci.ko, lvm");
	assert_non_null(
		strstr(f->changes.item[0].content, "kernel_cmdline+=\" rd.lvm.lv=vg0/root \"\n"));
	assert_int_equal(apply(f), -1);
	assert_non_null(strstr(error_text(&f->err), "the new initramfs lacks lvm"));
}

static void images_of_kdump_and_rescue_are_told_apart(void **state)
{
	struct fixture *f = *state;
	json_object *left = NULL;

	tree_file("/boot/vmlinuz-0-rescue-1234", "kernel");
	tree_image("/boot/initramfs-0-rescue-1234.img", "init", "rescue");
	tree_image("/boot/initramfs-" RELEASE "kdump.img", "init", "kdump");
	tree_image("/var/lib/kdump/initrd.img-" RELEASE, "init", "kdump");
	open_guest(f);
	assert_plan(f);
	assert_int_equal(f->changes.count, 3);
	assert_reported(f, "/boot/initramfs-" RELEASE "kdump.img is left as it is: it is kdump's: "
			   "until kdump builds it anew, crash dumps may not be saved here");
	assert_reported(f, "/var/lib/kdump/initrd.img-" RELEASE " is left as it is");
	json_object_object_get_ex(json_object_object_get(f->report.document, "facts"),
				  "initramfs-left", &left);
	assert_int_equal(json_object_array_length(left), 3);
	assert_int_equal(report_count(&f->report, "warnings"), 2);
}

static int install_kernel(struct adaptation *adaptation, const struct change *change,
			  struct error *err)
{
	(void)adaptation;
	(void)change;
	(void)err;
	tree_directory("/lib/modules/6.9.0");
	tree_file("/boot/vmlinuz-6.9.0", "kernel");
	return 0;
}

static void a_kernel_that_a_pack_brings_gets_its_image(void **state)
{
	struct fixture *f = *state;

	tree_image(IMAGE, AHCI, "elf");
	tree_image("/new-image", "lib/modules/6.9.0/kernel/drivers/ata/ahci.ko", "elf");
	tree_program("/usr/sbin/mkinitramfs", "#!/bin/sh\n"
					      "[ \"$1 $3\" = \"-o 6.9.0\" ] || exit 9\n"
					      "cat /new-image > \"$2\"\n");
	open_guest(f);
	changes_call(&f->changes, "packs", "linux-image", "why", install_kernel);
	assert_int_equal(step_initramfs.plan(&f->adaptation, &f->changes, NULL), 0);
	assert_int_equal(f->changes.count, 2);
	assert_string_equal(f->changes.item[1].path, "initramfs of every kernel");
	assert_applied(f);
	assert_true(guest_has(&f->guest, "/boot/initrd.img-6.9.0"));
	assert_string_equal(f->guest.kernel[0].initramfs, "/boot/initrd.img-6.9.0");
	assert_int_equal(step_initramfs.verify(&f->adaptation, NULL), 0);
	assert_false(report_has_failed_check(&f->report));
}

static int install_firmware(struct adaptation *adaptation, const struct change *change,
			    struct error *err)
{
	(void)adaptation;
	(void)change;
	(void)err;
	return 0;
}

static void a_changed_copy_is_not_forgotten_over_a_pack(void **state)
{
	struct fixture *f = *state;

	tree_image(IMAGE, AHCI, "elf");
	open_guest(f);
	changes_write(&f->changes, &f->guest, "fstab", "/etc/crypttab", "x\n", "why", NULL);
	changes_call(&f->changes, "packs", "driver packs", "why", install_firmware);
	assert_int_equal(step_initramfs.plan(&f->adaptation, &f->changes, NULL), 0);
	assert_string_equal(f->changes.item[2].input, "/etc/crypttab");
	assert_applied(f);
	assert_reported(f, "it holds a copy of /etc/crypttab");
}

static void microcode_of_the_processor_is_noted(void **state)
{
	struct fixture *f = *state;
	const struct hardware hardware = {.cpu_vendor = (char *)"AuthenticAMD"};
	struct drivers_db *db = NULL;

	tree_image(IMAGE, AHCI, "elf");
	open_guest(f);
	f->adaptation.hardware = &hardware;
	assert_int_equal(drivers_db_load(NULL, &db, NULL), 0);
	f->adaptation.db = db;
	assert_int_equal(step_initramfs.verify(&f->adaptation, NULL), 0);
	drivers_db_free(db);
	assert_reported(f, "none for this processor (AuthenticAMD) in the guest; it runs with the "
			   "firmware's; the package amd64-microcode brings newer");
}

static void a_device_without_driver_fails_the_check(void **state)
{
	struct fixture *f = *state;
	const struct hardware hardware = {0};

	tree_image(IMAGE, AHCI, "elf");
	open_guest(f);
	f->adaptation.hardware = &hardware;
	assert_plan(f);
	assert_int_equal(report_count(&f->report, "warnings"), 1);
	assert_int_equal(step_initramfs.verify(&f->adaptation, NULL), 0);
	assert_true(report_has_failed_check(&f->report));
	assert_string_equal(last_check(f), "no driver for 1234:5678");
}

static void modules_without_a_kernel_do_not_hide_the_one_that_starts(void **state)
{
	struct fixture *f = *state;
	const struct hardware hardware = {0};

	tree_directory("/lib/modules/6.9.0");
	tree_image(IMAGE, AHCI, "elf");
	open_guest(f);
	f->adaptation.hardware = &hardware;
	assert_int_equal(step_initramfs.verify(&f->adaptation, NULL), 0);
	assert_true(report_has_failed_check(&f->report));
	assert_string_equal(last_check(f), "no driver for 1234:5678");
}

static void a_kernel_without_a_module_index_does_not_stop_the_others(void **state)
{
	struct fixture *f = *state;
	_cleanup_text_ struct text text = {0};

	tree_directory("/lib/modules/" BROKEN);
	tree_file("/boot/vmlinuz-" BROKEN, "kernel");
	open_guest(f);
	assert_plan(f);
	assert_int_equal(f->changes.count, 3);
	assert_string_equal(f->changes.item[2].path, "initramfs of " RELEASE);
	if (apply(f) < 0)
		fail_msg("%s", error_text(&f->err));
	assert_int_equal(step_initramfs.verify(&f->adaptation, NULL), 0);
	report_render(&f->report, REPORT_BRIEF, &text);
	assert_non_null(strstr(text_string(&text), "drivers of kernel " BROKEN
						   ": modules.dep.bin is missing; its initramfs is "
						   "left as it is"));
	assert_non_null(strstr(text_string(&text), "ok     initramfs of " RELEASE ": holds"));
	assert_true(report_has_failed_check(&f->report));
}

static void a_broken_image_is_built_anew(void **state)
{
	struct fixture *f = *state;

	tree_file(IMAGE, "not an initramfs");
	open_guest(f);
	assert_plan(f);
	assert_int_equal(f->changes.count, 3);
	assert_string_equal(f->changes.item[2].why, IMAGE " ends in the middle, after 16 bytes");
}

#define step_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		step_test(an_image_without_the_driver_is_built_anew),
		step_test(a_second_run_changes_nothing),
		step_test(an_image_that_holds_the_driver_stays),
		step_test(a_changed_file_of_which_it_holds_a_copy_asks_for_a_new_one),
		step_test(a_block_of_ours_is_replaced),
		step_test(a_failing_program_leaves_the_old_image),
		step_test(a_new_image_without_the_driver_is_not_installed),
		step_test(a_full_boot_is_refused_while_planning),
		step_test(a_boot_too_small_for_the_new_image_keeps_the_old_one),
		step_test(a_list_is_taken_where_most_does_not_fit),
		step_test(a_list_is_taken_when_it_is_asked_for),
		step_test(without_a_tool_the_user_is_told_and_the_check_fails),
		step_test(unified_kernel_images_are_named),
		step_test(dracut_builds_and_its_image_is_proven),
		step_test(an_image_with_complaints_of_mkinitcpio_is_judged_by_what_it_holds),
		step_test(what_leaves_a_driver_out_is_handled_before_the_next_update),
		step_test(what_assembled_the_root_in_the_vm_must_be_in_the_new_image),
		step_test(images_of_kdump_and_rescue_are_told_apart),
		step_test(a_kernel_that_a_pack_brings_gets_its_image),
		step_test(a_changed_copy_is_not_forgotten_over_a_pack),
		step_test(microcode_of_the_processor_is_noted),
		step_test(a_device_without_driver_fails_the_check),
		step_test(modules_without_a_kernel_do_not_hide_the_one_that_starts),
		step_test(a_kernel_without_a_module_index_does_not_stop_the_others),
		step_test(a_broken_image_is_built_anew),
	};

	/* The small /boot of two tests is nobody else's. */
	if (geteuid() == 0 && unshare(CLONE_NEWNS) == 0)
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
