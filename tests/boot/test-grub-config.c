// SPDX-License-Identifier: GPL-3.0-or-later
#include "boot/grub_config.h"
#include "tests/boot/machine.h"

#define OLD_CONFIG                                                                                 \
	"menuentry 'Debian' {\n"                                                                   \
	"\tlinux /boot/vmlinuz-6.1 root=/dev/vda2 ro resume=/dev/vda1\n"                           \
	"\tinitrd /boot/initrd.img-6.1\n}\n"
#define CORRECTED_CONFIG                                                                           \
	"menuentry 'Debian' {\n"                                                                   \
	"\tlinux /boot/vmlinuz-6.1 root=UUID=" ROOT_UUID " ro resume=UUID=" SWAP_UUID "\n"         \
	"\tinitrd /boot/initrd.img-6.1\n}\n"

static const char config[] = "/boot/grub/grub.cfg";

static int setup(void **state)
{
	if (tree_setup(state) < 0)
		return -1;
	tree_file("/boot/vmlinuz-6.1", "");
	tree_file("/boot/initrd.img-6.1", "");
	return 0;
}

static int plan(struct machine *machine, struct error *err)
{
	return grub_config_plan(&machine->adaptation, &machine->changes, "grub-bios", err);
}

static void assert_no_changes_next_time(struct machine *machine)
{
	changes_release(&machine->changes);
	assert_int_equal(plan(machine, NULL), 0);
	assert_int_equal(machine->changes.count, 0);
}

static void a_menu_that_fits_is_left_alone(void **state)
{
	_cleanup_machine_ struct machine machine;

	(void)state;
	tree_file(config, CORRECTED_CONFIG);
	machine_init(&machine);
	assert_int_equal(plan(&machine, NULL), 0);
	assert_int_equal(machine.changes.count, 0);
	assert_int_equal(grub_config_verify(&machine.adaptation, NULL), 0);
	assert_false(report_has_failed_check(&machine.report));
	assert_report(&machine, "boot menu starts /boot/vmlinuz-6.1");
}

static void a_menu_with_old_names_is_made_again(void **state)
{
	_cleanup_machine_ struct machine machine;

	(void)state;
	tree_file(config, OLD_CONFIG);
	machine_init(&machine);
	assert_int_equal(plan(&machine, NULL), 0);
	assert_int_equal(machine.changes.count, 1);
	assert_int_equal(machine.changes.item[0].kind, CHANGE_CALL);
	assert_string_equal(machine.changes.item[0].path, config);
	assert_string_equal(machine.changes.item[0].why,
			    "root=/dev/vda2 is not the root file system of this disk, and 1 more");
	assert_int_equal(grub_config_verify(&machine.adaptation, NULL), 0);
	assert_true(report_has_failed_check(&machine.report));
}

static void a_change_of_its_source_makes_it_again(void **state)
{
	_cleanup_machine_ struct machine machine;

	(void)state;
	tree_file(config, CORRECTED_CONFIG);
	tree_file("/etc/default/grub", "a\n");
	machine_init(&machine);
	assert_int_equal(changes_write(&machine.changes, &machine.guest, "fstab",
				       "/etc/default/grub", "b\n", "because", NULL),
			 0);
	assert_int_equal(plan(&machine, NULL), 0);
	assert_int_equal(machine.changes.count, 2);
	assert_string_equal(machine.changes.item[1].why, "/etc/default/grub changes");
}

static void names_are_corrected_when_the_program_does_not_work(void **state)
{
	_cleanup_machine_ struct machine machine;
	_cleanup_error_ struct error err = {0};

	(void)state;
	tree_file(config, OLD_CONFIG);
	machine_init(&machine);
	assert_int_equal(plan(&machine, NULL), 0);
	if (changes_apply(&machine.changes, &machine.adaptation, &err) < 0)
		fail_msg("%s", error_text(&err));
	assert_tree_file(config, CORRECTED_CONFIG);
	assert_report(&machine, "was corrected in place and not made again");
	assert_report(&machine, "the guest has no grub-mkconfig");
	assert_no_changes_next_time(&machine);
}

static void a_menu_that_cannot_start_is_an_error(void **state)
{
	_cleanup_machine_ struct machine machine;
	_cleanup_error_ struct error err = {0};

	(void)state;
	tree_file(config, "linux /boot/vmlinuz-gone ro\n");
	machine_init(&machine);
	assert_int_equal(plan(&machine, NULL), 0);
	assert_int_equal(changes_apply(&machine.changes, &machine.adaptation, &err), -1);
	assert_contains(error_text(&err),
			"the guest has no grub-mkconfig; and the old /boot/grub/grub.cfg does not "
			"start this disk: the kernel /boot/vmlinuz-gone does not exist");
}

/* A guest that can run a shell script: the shell of this system and the libraries it needs. */
static bool make_runnable(void)
{
	static const char *const files[] = {"/bin/sh", "/bin/cat", "/usr/bin/env",
					    "/lib64/ld-linux-x86-64.so.2",
					    "/lib/x86_64-linux-gnu/libc.so.6"};

	for (size_t i = 0; i < array_length(files) && geteuid() == 0; i++) {
		_cleanup_text_ struct text program = {0};

		if (file_read(files[i], 16 << 20, &program, NULL) < 0)
			return false;
		tree_file_bytes(files[i], program.data, program.length, 0755);
	}
	return geteuid() == 0;
}

static void a_rescue_name_that_the_program_wrote_is_corrected(void **state)
{
	_cleanup_machine_ struct machine machine;
	_cleanup_error_ struct error err = {0};

	(void)state;
	if (!make_runnable())
		skip();
	tree_file(config, OLD_CONFIG);
	tree_file("/etc/made", "linux /boot/vmlinuz-6.1 root=/dev/sda2 new\n"
			       "initrd /boot/initrd.img-6.1\n");
	tree_program("/usr/sbin/grub-mkconfig", "#!/bin/sh\ncat /etc/made\n");
	machine_init(&machine);
	assert_int_equal(plan(&machine, NULL), 0);
	if (changes_apply(&machine.changes, &machine.adaptation, &err) < 0)
		fail_msg("%s", error_text(&err));
	assert_tree_file(config, "linux /boot/vmlinuz-6.1 root=UUID=" ROOT_UUID " new\n"
				 "initrd /boot/initrd.img-6.1\n");
	assert_tree_file("/var/lib/v2p/original/boot/grub/grub.cfg", OLD_CONFIG);
	assert_report(&machine, "root=/dev/sda2 is now root=UUID=" ROOT_UUID);
	assert_no_changes_next_time(&machine);
}

static void a_menu_that_grub_would_not_understand_is_not_used(void **state)
{
	_cleanup_machine_ struct machine machine;
	_cleanup_error_ struct error err = {0};

	(void)state;
	if (!make_runnable())
		skip();
	tree_file(config, OLD_CONFIG);
	tree_file("/etc/made", CORRECTED_CONFIG "}\n");
	tree_program("/usr/sbin/grub-mkconfig", "#!/bin/sh\ncat /etc/made\n");
	tree_program("/usr/bin/grub-script-check", "#!/bin/sh\necho syntax error >&2\nexit 1\n");
	machine_init(&machine);
	assert_int_equal(plan(&machine, NULL), 0);
	if (changes_apply(&machine.changes, &machine.adaptation, &err) < 0)
		fail_msg("%s", error_text(&err));
	assert_tree_file(config, CORRECTED_CONFIG);
	assert_report(&machine, "syntax error");
}

static void a_tree_without_disk_is_corrected_as_a_file(void **state)
{
	_cleanup_machine_ struct machine machine;

	(void)state;
	tree_file(config, OLD_CONFIG);
	tree_file("/etc/fstab", "# /dev/vda2 / ext4\nUUID=" ROOT_UUID " / ext4 defaults 0 1\n");
	machine_init(&machine);
	machine.guest.disk = NULL;
	machine.guest.mount_count = 0;
	machine.guest.layout = (struct layout){0};
	assert_int_equal(plan(&machine, NULL), 0);
	assert_int_equal(machine.changes.count, 1);
	assert_int_equal(machine.changes.item[0].kind, CHANGE_WRITE);
	assert_contains(machine.changes.item[0].content, "root=UUID=" ROOT_UUID " ro\n");
}

static void a_guest_without_grub_says_so(void **state)
{
	_cleanup_machine_ struct machine machine;
	_cleanup_error_ struct error err = {0};

	(void)state;
	machine_init(&machine);
	assert_int_equal(plan(&machine, &err), -1);
	assert_string_equal(error_text(&err), "the guest has neither /boot/grub nor /boot/grub2");
}

static void entries_in_files_of_their_own_are_a_warning(void **state)
{
	_cleanup_machine_ struct machine machine;

	(void)state;
	tree_file("/boot/grub2/grub.cfg", "insmod blscfg\nblscfg\n");
	machine_init(&machine);
	assert_int_equal(plan(&machine, NULL), 0);
	assert_int_equal(machine.changes.count, 0);
	assert_int_equal(grub_config_verify(&machine.adaptation, NULL), 0);
	assert_report(&machine, "takes its kernels from /boot/loader/entries");
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, tree_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(a_menu_that_fits_is_left_alone),
		test(a_menu_with_old_names_is_made_again),
		test(a_change_of_its_source_makes_it_again),
		test(names_are_corrected_when_the_program_does_not_work),
		test(a_menu_that_cannot_start_is_an_error),
		test(a_rescue_name_that_the_program_wrote_is_corrected),
		test(a_menu_that_grub_would_not_understand_is_not_used),
		test(a_tree_without_disk_is_corrected_as_a_file),
		test(a_guest_without_grub_says_so),
		test(entries_in_files_of_their_own_are_a_warning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
