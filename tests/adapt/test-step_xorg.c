// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/adapt/step-fixture.h"

static const char path[] = "/etc/X11/xorg.conf";

static struct fixture *open_with_display(void)
{
	struct fixture *f = fixture_open();

	fixture_device(f, "0000:00:02.0", 0x020000);
	fixture_device(f, "0000:0a:00.0", 0x030000);
	return f;
}

static void a_virtual_driver_becomes_modesetting(void **state)
{
	struct fixture *f = open_with_display();

	(void)state;
	fixture_file(f, &step_xorg, path,
		     "Section \"Device\"\n\tIdentifier \"Virtual video\"\n\tDriver \"qxl\"\n"
		     "\tBusID \"PCI:0:2:0\"\nEndSection\n\n"
		     "Section \"Screen\"\n\tIdentifier \"Default screen\"\n"
		     "\tDevice \"Virtual video\"\nEndSection\n",
		     "Section \"Device\"\n\tIdentifier \"Virtual video\"\n"
		     "\tDriver \"modesetting\"\nEndSection\n\n"
		     "Section \"Screen\"\n\tIdentifier \"Default screen\"\n"
		     "\tDevice \"Virtual video\"\nEndSection\n");
	assert_false(fixture_warned(f, ""));
	fixture_close(f);
}

static void options_of_the_old_driver_go(void **state)
{
	struct fixture *f = open_with_display();

	(void)state;
	fixture_file(f, &step_xorg, "/etc/X11/xorg.conf.d/20-video.conf",
		     "Section \"Device\"\n  Identifier \"x\"\n  driver \"vmware\"\n"
		     "  Option \"HWcursor\" \"off\"\n  Option \"Monitor-DVI\" \"m\"\n"
		     "  Option \"SW cursor\"\nEndSection\n",
		     "Section \"Device\"\n  Identifier \"x\"\n"
		     "  driver \"modesetting\"\n  Option \"Monitor-DVI\" \"m\"\n"
		     "  Option \"SW cursor\"\nEndSection\n");
	fixture_close(f);
}

static void a_bus_id_of_a_display_here_stays(void **state)
{
	/* Decimal: 10 is 0a. */
	static const char conf[] = "Section \"Device\"\n Driver \"amdgpu\"\n"
				   " BusID \"PCI:10@0:0:0\"\n Option \"Foo\" \"1\"\nEndSection\n";
	struct fixture *f = open_with_display();

	(void)state;
	fixture_file(f, &step_xorg, path, conf, conf);
	fixture_close(f);
}

static void a_bus_id_is_left_where_the_hardware_is_not_known(void **state)
{
	static const char conf[] = "Section \"Device\"\n BusID \"PCI:0:2:0\"\nEndSection\n";
	struct fixture *f = fixture_open();

	(void)state;
	fixture_file(f, &step_xorg, path, conf, conf);
	fixture_close(f);
}

static void a_file_that_is_not_understood_is_left_alone(void **state)
{
	static const char conf[] = "Section \"Device\"\n Driver \"qxl\"\n";
	struct fixture *f = open_with_display();

	(void)state;
	fixture_file(f, &step_xorg, path, conf, conf);
	assert_true(fixture_warned(f, "/etc/X11/xorg.conf is left as it is: line "));
	assert_true(fixture_warned(f, "X may look for the VM's graphics card and not start"));
	fixture_close(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		step_test(a_virtual_driver_becomes_modesetting),
		step_test(options_of_the_old_driver_go),
		step_test(a_bus_id_of_a_display_here_stays),
		step_test(a_bus_id_is_left_where_the_hardware_is_not_known),
		step_test(a_file_that_is_not_understood_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
