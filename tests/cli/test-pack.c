// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/cli/program.h"

/* A package with a module of kernel 1.2.3 that drives a card, compressed as distributions do. */
#define MAKE_MODULE                                                                                \
	"cat > m.s <<END\n"                                                                        \
	"\t.section .modinfo,\"a\"\n"                                                              \
	"\t.asciz \"name=newnic\"\n"                                                               \
	"\t.asciz \"alias=pci:v000010ECd00009999sv*sd*bc*sc*i*\"\n"                                \
	"\t.asciz \"alias=of:N*T*Cnew,nic\"\n"                                                     \
	"\t.asciz \"firmware=new/a.fw\"\n"                                                         \
	"\t.asciz \"vermagic=1.2.3 SMP\"\n"                                                        \
	"END\n"                                                                                    \
	"cc -c -o m.ko m.s; "
#define CONTROL(name)                                                                              \
	"printf 'Package: " name "\\nVersion: 1:2-3\\nArchitecture: all\\nMaintainer: n\\n"        \
	"Pre-Depends: a\\nDepends: b (>= 1) | c,\\n d\\nProvides: e (= 2)\\nInstalled-Size: 4\\n"  \
	"Description: x\\n' > t/DEBIAN/control; "

static void make_debs(void)
{
	shell("rm -rf t debs; mkdir -p debs t/DEBIAN t/lib/modules/1.2.3/kernel/net "
	      "t/lib/firmware/new t/boot; " MAKE_MODULE
	      "xz -c m.ko > t/lib/modules/1.2.3/kernel/net/newnic.ko.xz; "
	      "echo code > t/lib/firmware/new/a.fw; " CONTROL(
		      "newnic-modules") "dpkg-deb -Zxz --root-owner-group -b t debs/modules.deb; "
					"rm t/lib/firmware/new/a.fw; : > t/boot/vmlinuz-1.2.3; "
					"printf "
					"'ahci.alias=pci:v*d*sv*sd*bc01sc06i01*\\0ahci.license="
					"GPL\\0' "
					"> t/lib/modules/1.2.3/modules.builtin.modinfo; " CONTROL(
						"linux-image-1.2.3") "dpkg-deb -Zgzip "
								     "--root-owner-group -b t "
								     "debs/kernel.deb");
}

static void expect_lines(const char *file, const char *const *lines)
{
	_cleanup_text_ struct text text = {0};

	assert_int_equal(file_read(file, 1 << 20, &text, NULL), 0);
	for (; *lines; lines++) {
		_cleanup_free_ char *line = string_format("\n%s\n", *lines);

		if (!strstr(text_string(&text), line))
			fail_msg("%s is not in %s", *lines, text_string(&text));
	}
}

static void packages_tell_what_they_are(void **state)
{
	static const char *const lines[] = {
		"[kernel.deb]",
		"package = linux-image-1.2.3",
		"version = 1:2-3",
		"architecture = all",
		"distribution = debian 12",
		"brings-kernel = 1.2.3",
		"installed-size = 4096",
		"depends = a",
		"depends = b (>= 1) | c",
		"depends = d",
		"provides = e (= 2)",
		"modules = newnic ahci",
		"modalias = pci:v*d*sv*sd*bc01sc06i01* ahci",
		"[modules.deb]",
		"kernel = 1.2.3",
		"firmware = new/a.fw",
		"wants-firmware = newnic new/a.fw",
		"modalias = pci:v000010ECd00009999sv*sd*bc*sc*i* newnic",
		NULL,
	};
	_cleanup_process_result_ struct process_result result = {0};
	_cleanup_text_ struct text text = {0};

	(void)state;
	make_debs();
	shell("rm -rf out");
	v2p(&result, "pack", "build", "out", "--packages", "debs", "--distribution", "debian 12",
	    "--name", "Lab 7");
	expect(&result, 0, "");
	expect_lines("out/v2p-pack.ini", lines);
	assert_int_equal(file_read("out/v2p-pack.ini", 1 << 20, &text, NULL), 0);
	/* No device of a PC has that. */
	assert_null(strstr(text_string(&text), "of:N"));
	shell("cmp debs/kernel.deb out/kernel.deb; cmp debs/modules.deb out/modules.deb");
}

static void rpm_packages_tell_what_they_are(void **state)
{
	static const char *const lines[] = {
		"package = newnic",       "version = 1:1.2-3",
		"architecture = noarch",  "kernel = 1.2.3",
		"depends = other >= 5-1", "provides = driver = 4",
		"firmware = new/a.fw",    "wants-firmware = newnic new/a.fw",
		"modules = newnic",       NULL,
	};
	_cleanup_process_result_ struct process_result result = {0};

	(void)state;
	if (!has_program("rpmbuild"))
		skip();
	shell("rm -rf out debs rpm; mkdir debs; " MAKE_MODULE "cat > x.spec <<END\n"
	      "Name: newnic\nVersion: 1.2\nRelease: 3\nEpoch: 1\nSummary: x\nLicense: GPL\n"
	      "BuildArch: noarch\nRequires: other >= 5-1\nProvides: driver = 4\n"
	      "%description\nx\n%install\n"
	      "mkdir -p %{buildroot}/lib/modules/1.2.3/extra %{buildroot}/lib/firmware/new\n"
	      "cp $PWD/m.ko %{buildroot}/lib/modules/1.2.3/extra/newnic.ko\n"
	      "echo code > %{buildroot}/lib/firmware/new/a.fw\n"
	      "%files\n/lib/modules/1.2.3/extra/newnic.ko\n/lib/firmware/new/a.fw\n"
	      "END\n"
	      "rpmbuild -bb --define \"_topdir $PWD/rpm\" --define '__strip /bin/true' x.spec "
	      ">/dev/null 2>&1; mv rpm/RPMS/noarch/*.rpm debs");
	v2p(&result, "pack", "build", "out", "--packages", "debs");
	expect(&result, 0, "");
	expect_lines("out/v2p-pack.ini", lines);
}

static void what_is_built_is_listed(void **state)
{
	static const char *const names[] = {"a.tar", "a.tar.gz", "a.tar.xz", "a.tar.zst"};

	(void)state;
	make_debs();
	for (size_t i = 0; i < array_length(names); i++) {
		_cleanup_process_result_ struct process_result built = {0}, listed = {0};

		v2p(&built, "pack", "build", names[i], "--packages", "debs", "--name", "Lab 7");
		expect(&built, 0, "");
		v2p(&listed, "pack", "list", names[i]);
		expect(&listed, 0, "");
		assert_string_equal(text_string(&listed.output), text_string(&built.output));
		assert_non_null(strstr(text_string(&listed.output), ": Lab 7\n"));
		assert_non_null(strstr(text_string(&listed.output), "kernel 1.2.3, all"));
	}
}

static void a_list_can_be_json(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};

	(void)state;
	make_debs();
	shell("rm -rf out; v2p=" V2P_PROGRAM "; $v2p pack build out --packages debs >/dev/null");
	v2p(&result, "pack", "list", "out", "--json");
	expect(&result, 0, "");
	assert_non_null(strstr(text_string(&result.output), "\"brings-kernel\":\"1.2.3\""));
	assert_non_null(strstr(text_string(&result.output), "\"signed\":false"));
}

static void what_cannot_be_built_is_refused(void **state)
{
	static const struct {
		const char *make, *message;
		int status;
		const char *argument[5];
	} rows[] = {
		{"true", "pack wants build OUT or list PLACE", 2, {"out"}},
		{"true", "pack wants build OUT or list PLACE", 2, {"burn", "out"}},
		{"true",
		 "a pack is built from --packages DIR, --running, or --root DIR",
		 2,
		 {"build", "out"}},
		{"rm -rf d; mkdir d",
		 "d has no .deb or .rpm packages",
		 1,
		 {"build", "out", "--packages", "d"}},
		{"true",
		 "read packages in nowhere: No such file or directory",
		 1,
		 {"build", "out", "--packages", "nowhere"}},
		{"rm -rf d; mkdir d; echo hello > d/a.deb",
		 "d/a.deb: the archive cannot be read: ",
		 1,
		 {"build", "out", "--packages", "d"}},
		{"rm -rf d; mkdir d; head -c 400 /dev/zero > d/a.rpm",
		 "d/a.rpm: it is no RPM package",
		 1,
		 {"build", "out", "--packages", "d"}},
		{"rm -rf d; mkdir d; cp debs/kernel.deb 'd/a b.deb'",
		 "a pack cannot hold a file called a b.deb: rename it",
		 1,
		 {"build", "out", "--packages", "d"}},
		{"rm -rf out; mkdir out",
		 "make out: File exists",
		 1,
		 {"build", "out", "--packages", "debs"}},
		{"rm -rf out", "driver pack out: No such file or directory", 1, {"list", "out"}},
	};

	(void)state;
	make_debs();
	for (size_t i = 0; i < array_length(rows); i++) {
		_cleanup_process_result_ struct process_result result = {0};
		const char *argv[8] = {V2P_PROGRAM, "pack"};

		shell("rm -rf out");
		shell(rows[i].make);
		for (size_t j = 0; j < 5; j++)
			argv[2 + j] = rows[i].argument[j];
		run(&result, argv);
		expect(&result, rows[i].status, rows[i].message);
	}
}

/* A system with one kernel, whose index depmod made. */
static void make_system(void)
{
	shell("rm -rf s; mkdir -p s/etc s/usr/lib/modules/1.2.3/kernel s/usr/lib/firmware/new; "
	      "ln -s usr/lib s/lib; printf 'ID=x\\n' > s/etc/os-release; : > s/etc/fstab; "
	      ": > s/lib/modules/1.2.3/modules.order; : > s/lib/modules/1.2.3/modules.builtin; "
	      "echo code > s/lib/firmware/new/a.fw; " MAKE_MODULE
	      "cp m.ko s/lib/modules/1.2.3/kernel/newnic.ko; depmod -b s 1.2.3");
}

static void modules_of_a_system_become_a_pack_with_their_firmware(void **state)
{
	static const char *const lines[] = {
		"[newnic]",
		"kind = modules",
		"kernel = 1.2.3",
		"wants-firmware = newnic new/a.fw",
		"modalias = pci:v000010ECd00009999sv*sd*bc*sc*i* newnic",
		"[firmware newnic]",
		"kind = firmware",
		NULL,
	};
	_cleanup_process_result_ struct process_result result = {0}, missing = {0};

	(void)state;
	if (!has_program("depmod"))
		skip();
	make_system();
	shell("rm -rf out");
	v2p(&result, "pack", "build", "out", "--root", "s", "--module", "newnic");
	expect(&result, 0, "");
	expect_lines("out/v2p-pack.ini", lines);
	shell("cmp m.ko out/modules/1.2.3/newnic.ko; cmp s/lib/firmware/new/a.fw "
	      "out/firmware/new/a.fw; rm -r out");
	v2p(&missing, "pack", "build", "out", "--root", "s", "--module", "oldnic");
	expect(&missing, 1, "kernel 1.2.3 has no module oldnic");
}

static void a_key_without_a_pack_is_refused(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};

	(void)state;
	make_system();
	v2p(&result, "adapt", "--root", "s", "--driver-pack-key", "k");
	expect(&result, 1, "a key for driver packs was given, but no driver pack");
}

static void a_pack_that_cannot_be_read_stops_before_anything_is_changed(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};

	(void)state;
	make_system();
	v2p(&result, "adapt", "--root", "s", "--driver-pack", "nowhere");
	expect(&result, 1, "driver pack nowhere: No such file or directory");
	shell("test ! -e s/var");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packages_tell_what_they_are),
		cmocka_unit_test(rpm_packages_tell_what_they_are),
		cmocka_unit_test(what_is_built_is_listed),
		cmocka_unit_test(a_list_can_be_json),
		cmocka_unit_test(what_cannot_be_built_is_refused),
		cmocka_unit_test(modules_of_a_system_become_a_pack_with_their_firmware),
		cmocka_unit_test(a_key_without_a_pack_is_refused),
		cmocka_unit_test(a_pack_that_cannot_be_read_stops_before_anything_is_changed),
	};

	return cmocka_run_group_tests(tests, enter_directory, remove_directory);
}
