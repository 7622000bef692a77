// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/adapt/step-fixture.h"

#define MARK "# v2p: what this machine needs; written anew by each adaptation\n"
#define OWN_FILE "# By v2p: what this machine needs; written anew by each adaptation.\n"
#define KEYBOARD "i8042.nomux i8042.reset i8042.noloop i8042.nopnp"
#define GRUB_LINE(words) "GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX " words "\"\n"

static const char grub[] = "GRUB_DEFAULT=0\nGRUB_CMDLINE_LINUX=\"quiet\"\n";

/* A board whose keyboard needs arguments before Linux 6.12. */
static struct fixture *open_laptop(const char *release)
{
	_cleanup_free_ char *modules = string_format("/lib/modules/%s", release);
	struct fixture *f;

	tree_directory(modules);
	f = fixture_open();
	f->hardware.dmi_board = string_copy("GM6XGxX");
	return f;
}

static void add_sound(struct fixture *f)
{
	fixture_device(f, "0000:00:1f.3", 0x040300);
	f->hardware.device[0].subsystem_vendor = 0x17aa;
	f->hardware.device[0].subsystem_device = 0x5079;
}

static void grub_gets_the_arguments_that_this_machine_needs(void **state)
{
	struct fixture *f = open_laptop("5.10.0-32-amd64");

	(void)state;
	fixture_file(f, &step_quirks, "/etc/default/grub", grub,
		     "GRUB_DEFAULT=0\nGRUB_CMDLINE_LINUX=\"quiet\"\n" MARK GRUB_LINE(KEYBOARD));
	fixture_close(f);
}

static void the_reason_of_a_change_is_that_of_the_row(void **state)
{
	struct fixture *f = open_laptop("5.10.0-32-amd64");

	(void)state;
	tree_file("/etc/default/grub", grub);
	fixture_plan(f, &step_quirks);
	assert_int_equal(f->changes.count, 1);
	assert_string_equal(f->changes.item[0].path, "/etc/default/grub");
	assert_non_null(strstr(f->changes.item[0].why, "keyboard may be dead"));
	fixture_close(f);
}

static void a_kernel_that_knows_the_machine_gets_nothing(void **state)
{
	struct fixture *f = open_laptop("6.12.94-amd64");

	(void)state;
	fixture_file(f, &step_quirks, "/etc/default/grub", grub, grub);
	assert_false(tree_has("/etc/modprobe.d/v2p-quirks.conf"));
	fixture_close(f);
}

static void one_old_kernel_among_new_ones_is_enough(void **state)
{
	struct fixture *f;

	(void)state;
	tree_directory("/lib/modules/6.12.94-amd64");
	f = open_laptop("5.10.0-32-amd64");
	fixture_file(f, &step_quirks, "/etc/default/grub", grub,
		     "GRUB_DEFAULT=0\nGRUB_CMDLINE_LINUX=\"quiet\"\n" MARK GRUB_LINE(KEYBOARD));
	fixture_close(f);
}

static void another_machine_loses_what_the_last_one_needed(void **state)
{
	struct fixture *f = open_laptop("5.10.0-32-amd64");

	(void)state;
	add_sound(f);
	tree_file("/etc/default/grub", grub);
	fixture_run(f, &step_quirks);
	assert_true(tree_has("/etc/modprobe.d/v2p-quirks.conf"));
	f->hardware.device_count = 0;
	free(f->hardware.dmi_board);
	f->hardware.dmi_board = NULL;
	fixture_run(f, &step_quirks);
	f->hardware.device_count = 1;
	assert_tree_file("/etc/default/grub", grub);
	assert_false(tree_has("/etc/modprobe.d/v2p-quirks.conf"));
	fixture_close(f);
}

static void an_argument_that_is_there_is_not_added_again(void **state)
{
	struct fixture *f = open_laptop("5.10.0-32-amd64");

	(void)state;
	fixture_file(f, &step_quirks, "/etc/default/grub",
		     "GRUB_CMDLINE_LINUX_DEFAULT='i8042.nomux i8042.reset'\n# i8042.noloop",
		     "GRUB_CMDLINE_LINUX_DEFAULT='i8042.nomux i8042.reset'\n# i8042.noloop\n" MARK
			     GRUB_LINE("i8042.noloop i8042.nopnp"));
	fixture_close(f);
}

static void the_guests_own_value_stays_with_a_warning(void **state)
{
	struct fixture *f = open_laptop("5.10.0-32-amd64");

	(void)state;
	fixture_file(f, &step_quirks, "/etc/default/grub", "GRUB_CMDLINE_LINUX=\"i8042.reset=0\"\n",
		     "GRUB_CMDLINE_LINUX=\"i8042.reset=0\"\n" MARK GRUB_LINE(
			     "i8042.nomux i8042.noloop i8042.nopnp"));
	assert_true(fixture_warned(f, "/etc/default/grub has its own setting in the place of "
				      "i8042.reset, which this machine may need: "));
	fixture_close(f);
}

static void a_drop_in_that_begins_the_arguments_anew_gets_them_too(void **state)
{
	struct fixture *f = open_laptop("5.10.0-32-amd64");
	static const char adds[] = "GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX more\"\n";

	(void)state;
	tree_file("/etc/default/grub", grub);
	tree_file("/etc/default/grub.d/10_adds.cfg", adds);
	fixture_file(f, &step_quirks, "/etc/default/grub.d/50-cloud.cfg",
		     "GRUB_CMDLINE_LINUX=\"console=ttyS0\"\n",
		     "GRUB_CMDLINE_LINUX=\"console=ttyS0\"\n" MARK GRUB_LINE(KEYBOARD));
	assert_tree_file("/etc/default/grub.d/10_adds.cfg", adds);
	fixture_close(f);
}

static void boot_loader_entries_get_the_arguments(void **state)
{
	struct fixture *f = open_laptop("5.10.0-32-amd64");

	(void)state;
	tree_file("/etc/kernel/cmdline", "root=UUID=1 ro\n");
	fixture_file(f, &step_quirks, "/boot/loader/entries/a-5.10.0.conf",
		     "title Linux\nversion 5.10.0\noptions root=UUID=1 $tuned_params",
		     "title Linux\nversion 5.10.0\noptions root=UUID=1 $tuned_params " KEYBOARD);
	assert_tree_file("/etc/kernel/cmdline", "root=UUID=1 ro " KEYBOARD "\n");
	fixture_close(f);
}

static void options_over_several_lines_are_one(void **state)
{
	struct fixture *f = open_laptop("5.10.0-32-amd64");

	(void)state;
	fixture_file(f, &step_quirks, "/boot/loader/entries/a.conf",
		     "# options old\noptions\troot=UUID=1 \r\noptions i8042.nomux\r\noptionsx a\n",
		     "# options old\noptions\troot=UUID=1 i8042.reset i8042.noloop i8042.nopnp \r\n"
		     "options i8042.nomux\r\noptionsx a\n");
	fixture_close(f);
}

static void a_guest_without_a_place_for_arguments_is_a_warning(void **state)
{
	struct fixture *f = open_laptop("5.10.0-32-amd64");

	(void)state;
	fixture_plan(f, &step_quirks);
	assert_int_equal(f->changes.count, 0);
	assert_true(fixture_warned(f, "the kernel argument i8042.nomux is not set, since the guest "
				      "has neither /etc/default/grub nor /etc/kernel/cmdline nor "
				      "boot loader entries: "));
	fixture_close(f);
}

static void modprobe_gets_the_options_of_a_device(void **state)
{
	struct fixture *f;

	(void)state;
	tree_directory("/lib/modules/5.10.0-32-amd64");
	f = fixture_open();
	add_sound(f);
	fixture_run(f, &step_quirks);
	assert_tree_file("/etc/modprobe.d/v2p-quirks.conf",
			 OWN_FILE "# the loudspeakers click when the sound chip goes to sleep\n"
				  "options snd_hda_intel power_save=0\n");
	fixture_close(f);
}

static void the_guests_own_module_option_stays(void **state)
{
	struct fixture *f;

	(void)state;
	tree_directory("/lib/modules/5.10.0-32-amd64");
	tree_file("/etc/modprobe.d/sound.conf", "options snd-hda-intel model=auto power_save=10\n");
	f = fixture_open();
	add_sound(f);
	fixture_run(f, &step_quirks);
	assert_false(tree_has("/etc/modprobe.d/v2p-quirks.conf"));
	assert_true(fixture_warned(f, "/etc/modprobe.d has its own setting in the place of "
				      "power_save=0"));
	fixture_close(f);
}

static void a_local_row_keeps_a_module_from_being_loaded(void **state)
{
	_cleanup_free_ char *local = NULL;
	struct fixture *f;

	(void)state;
	tree_file("/local/quirks.table", "\"dmi:board=Box*\" * blacklist beeper \"it beeps all the "
					 "time\"\n");
	local = tree_path("/local");
	setenv("V2P_DRIVERS_DB_LOCAL", local, 1);
	tree_directory("/lib/modules/6.12.94-amd64");
	f = fixture_open();
	setenv("V2P_DRIVERS_DB_LOCAL", "", 1);
	f->hardware.dmi_board = string_copy("Box 3");
	fixture_run(f, &step_quirks);
	assert_tree_file("/etc/modprobe.d/v2p-quirks.conf",
			 OWN_FILE "# it beeps all the time\nblacklist beeper\n");
	fixture_close(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		step_test(grub_gets_the_arguments_that_this_machine_needs),
		step_test(the_reason_of_a_change_is_that_of_the_row),
		step_test(a_kernel_that_knows_the_machine_gets_nothing),
		step_test(one_old_kernel_among_new_ones_is_enough),
		step_test(another_machine_loses_what_the_last_one_needed),
		step_test(an_argument_that_is_there_is_not_added_again),
		step_test(the_guests_own_value_stays_with_a_warning),
		step_test(a_drop_in_that_begins_the_arguments_anew_gets_them_too),
		step_test(boot_loader_entries_get_the_arguments),
		step_test(options_over_several_lines_are_one),
		step_test(a_guest_without_a_place_for_arguments_is_a_warning),
		step_test(modprobe_gets_the_options_of_a_device),
		step_test(the_guests_own_module_option_stays),
		step_test(a_local_row_keeps_a_module_from_being_loaded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
