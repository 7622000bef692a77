// SPDX-License-Identifier: GPL-3.0-or-later
/* The step on a small guest, with the real dpkg and depmod in it. */
#include "adapt/step.h"
#include "tests/adapt/driver-fixture.h"
#include "tests/adapt/pack-tree.h"

#define NIC "pci:v000010ECd00009999sv00000000sd00000000bc02sc00i00"
#define NIC_LINE "modalias = pci:v000010ECd00009999sv*sd*bc*sc*i* newnic\n"
#define RELEASE_LINE "kernel = " MODULE_RELEASE "\n"
#define NEW_RELEASE "9.9.9-test"
#define RECORD "/var/lib/v2p/packs.json"
#define KERNEL_LINES(depends)                                                                      \
	"kind = package\npackage = linux-image-" NEW_RELEASE "\nversion = 9.9.9-1\n"               \
	"architecture = all\nmodules = ext4 sd_mod\nbrings-kernel = " NEW_RELEASE                  \
	"\ndepends = " depends "\n" NIC_LINE

static const char *const programs[] = {
	"/bin/sh",
	"/usr/bin/env",
	"/bin/mkdir",
	"/sbin/depmod",
	"/usr/bin/dpkg",
	"/bin/rm",
	"/usr/bin/dpkg-deb",
	"/bin/tar",
	"/usr/bin/diff",
	"/usr/bin/dpkg-split",
	"/bin/true",
	"/sbin/ldconfig",
	"/usr/sbin/start-stop-daemon",
};

/* A guest, a machine and a pack. */
struct bench {
	struct fixture *fixture;
	char *root;
	struct pack_tree tree;
	struct packs *packs;
	struct guest guest;
	struct hardware hardware;
	struct report report;
	struct changes changes;
	struct adaptation adaptation;
};

static void shell(const char *directory, const char *script)
{
	const char *const argv[] = {"sh", "-ec", script, "sh", directory, NULL};
	_cleanup_error_ struct error err = {0};

	if (process_check(argv, NULL, &err) < 0)
		fail_msg("%s", error_text(&err));
}

/* At their places, with the libraries that ldd lists. */
static void copy_programs(const char *root)
{
	_cleanup_free_ char *list = NULL;
	_cleanup_strings_ struct strings names = {0};
	_cleanup_free_ char *script = NULL;

	for (size_t i = 0; i < array_length(programs); i++)
		strings_add(&names, programs[i]);
	list = strings_join(&names, " ");
	script = string_format(
		"cd $1; mkdir -p usr/bin usr/sbin usr/lib64 proc sys dev run tmp boot "
		"var/lib/dpkg/info var/lib/dpkg/updates var/lib/dpkg/triggers etc;"
		"for d in bin sbin lib64; do ln -s usr/$d $d; done;"
		"for p in %s; do for f in $p $(ldd $p | grep -o '/[^ ]*'); do "
		"mkdir -p .${f%%/*}; test -e .$f || cp -L $f .$f; done; done; "
		": > var/lib/dpkg/available; : > boot/vmlinuz-" MODULE_RELEASE,
		list);
	shell(root, script);
}

static void bench_open(struct bench *bench, void **state)
{
	static const char *const nic[] = {NIC, NULL};
	_cleanup_error_ struct error err = {0};
	_cleanup_free_ char *copy = NULL;

	if (geteuid() != 0)
		skip();
	*bench = (struct bench){.fixture = need(state), .guest = {.root_fd = -1}};
	copy = copy_of(bench->fixture);
	bench->root = string_format("%s/%s", copy, strrchr(bench->fixture->root, '/') + 1);
	copy_programs(bench->root);
	tree_text(bench->root, "etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n");
	tree_text(bench->root, "etc/fstab", "UUID=1 / ext4 defaults 0 1\n");
	tree_text(bench->root, "usr/sbin/grub-mkconfig", "for x in /etc/default/grub.d/*.cfg\n");
	tree_text(bench->root, "var/lib/dpkg/status",
		  "Package: kmod\nStatus: install ok installed\nMaintainer: nobody\n"
		  "Version: 30-1\nArchitecture: all\nDescription: x\n");
	pack_tree_init(&bench->tree);
	report_init(&bench->report);
	bench->hardware = machine(nic);
	if (guest_open_root(bench->root, &bench->guest, &err) < 0)
		fail_msg("%s", error_text(&err));
}

static void bench_release(struct bench *bench)
{
	if (bench->root)
		*strrchr(bench->root, '/') = '\0';
	changes_release(&bench->changes);
	packs_close(bench->packs);
	guest_release(&bench->guest);
	hardware_release(&bench->hardware);
	report_release(&bench->report);
	pack_tree_release(&bench->tree);
	tree_remove(&bench->root);
}
#define _cleanup_bench_ _cleanup_(bench_release)

static size_t plan(struct bench *bench)
{
	_cleanup_error_ struct error err = {0};

	if (!bench->packs && pack_tree_open(&bench->tree, &bench->packs, &err) < 0)
		fail_msg("%s", error_text(&err));
	bench->adaptation = (struct adaptation){.guest = &bench->guest,
						.hardware = &bench->hardware,
						.db = bench->fixture->db,
						.report = &bench->report,
						.packs = bench->packs};
	changes_release(&bench->changes);
	if (step_packs.plan(&bench->adaptation, &bench->changes, &err) < 0)
		fail_msg("%s", error_text(&err));
	return bench->changes.count;
}

static void __attribute__((noreturn)) fail_because(const struct bench *bench)
{
	_cleanup_text_ struct text text = {0};

	report_render(&bench->report, REPORT_BRIEF, &text);
	fail_msg("%s", text_string(&text));
	abort();
}

static void apply(struct bench *bench)
{
	_cleanup_error_ struct error err = {0};

	if (plan(bench) == 0)
		fail_because(bench);
	if (changes_apply(&bench->changes, &bench->adaptation, &err) < 0)
		fail_msg("%s", error_text(&err));
}

static void expect_failed(struct bench *bench, const char *words)
{
	_cleanup_text_ struct text text = {0};

	report_render(&bench->report, REPORT_BRIEF, &text);
	if (!report_has_failed_check(&bench->report) || !strstr(text_string(&text), words))
		fail_msg("%s", text_string(&text));
}

static void expect_done(struct bench *bench)
{
	_cleanup_text_ struct text text = {0};

	report_render(&bench->report, REPORT_BRIEF, &text);
	if (report_has_failed_check(&bench->report))
		fail_msg("%s", text_string(&text));
	/* The second time there is nothing to do. */
	assert_int_equal(plan(bench), 0);
}

static void expect_record(struct bench *bench, const char *words)
{
	_cleanup_text_ struct text text = {0};

	assert_int_equal(guest_read(&bench->guest, RECORD, &text, NULL), 1);
	if (!strstr(text_string(&text), words))
		fail_msg("%s", text_string(&text));
}

/* A module that says that it drives the card and was built for the release. */
static void add_module(struct bench *bench, const char *release)
{
	_cleanup_free_ char *source =
		string_format("\t.section .modinfo,\"a\"\n\t.asciz \"name=newnic\"\n"
			      "\t.asciz \"alias=pci:v000010ECd00009999sv*sd*bc*sc*i*\"\n"
			      "\t.asciz \"vermagic=%s SMP preempt mod_unload\"\n",
			      release);

	tree_text(bench->tree.root, "newnic.s", source);
	shell(bench->tree.root, "cd $1; cc -c -o newnic.ko newnic.s");
	text_addf(&bench->tree.index, "[nic]\nkind = modules\n" RELEASE_LINE NIC_LINE);
	pack_tree_file(&bench->tree, "newnic.ko");
}

/* A package with a kernel whose one module drives the card. */
static void add_kernel(struct bench *bench, const char *depends, const char *postinst)
{
	_cleanup_free_ char *control = string_format(
		"Package: linux-image-" NEW_RELEASE "\nVersion: 9.9.9-1\nArchitecture: all\n"
		"Maintainer: nobody\nDepends: %s\nDescription: x\n",
		depends);
	_cleanup_free_ char *script = string_format("#!/bin/sh\nset -e\n%s\n", postinst);

	add_module(bench, NEW_RELEASE);
	text_truncate(&bench->tree.index, strlen("[Pack]\nformat = 1\n"));
	tree_text(bench->tree.root, "deb/DEBIAN/control", control);
	tree_text(bench->tree.root, "deb/DEBIAN/postinst", script);
	shell(bench->tree.root, "cd $1; chmod 755 deb/DEBIAN/postinst; mkdir -p deb/boot; "
				": > deb/boot/vmlinuz-" NEW_RELEASE "; "
				"mkdir -p deb/usr/lib/modules/" NEW_RELEASE "/kernel; "
				"cp newnic.ko deb/usr/lib/modules/" NEW_RELEASE "/kernel; "
				": > deb/usr/lib/modules/" NEW_RELEASE "/modules.order; "
				": > deb/usr/lib/modules/" NEW_RELEASE "/modules.builtin; "
				"dpkg-deb --root-owner-group -b deb kernel.deb");
}

static void a_module_is_installed_and_drives_the_device(void **state)
{
	_cleanup_bench_ struct bench bench = {.guest = {.root_fd = -1}};

	bench_open(&bench, state);
	add_module(&bench, MODULE_RELEASE);
	apply(&bench);
	assert_true(
		guest_has(&bench.guest, "/lib/modules/" MODULE_RELEASE "/updates/v2p/newnic.ko"));
	expect_done(&bench);
	expect_record(&bench, "\"entry\":\"nic\"");
	expect_record(&bench, "newnic drives dev0");
}

static void firmware_goes_where_the_kernel_looks_first(void **state)
{
	_cleanup_bench_ struct bench bench = {.guest = {.root_fd = -1}};

	bench_open(&bench, state);
	add_module(&bench, MODULE_RELEASE);
	text_add(&bench.tree.index, "wants-firmware = newnic new/a.fw\n");
	pack_tree_add(&bench.tree, "firmware", "kind = firmware\n", "firmware/new/a.fw", "code");
	apply(&bench);
	assert_true(guest_has(&bench.guest, "/lib/firmware/updates/new/a.fw"));
	expect_done(&bench);
}

static void a_module_of_another_kernel_is_refused(void **state)
{
	_cleanup_bench_ struct bench bench = {.guest = {.root_fd = -1}};

	bench_open(&bench, state);
	add_module(&bench, "6.1.0-test2");
	apply(&bench);
	expect_failed(&bench, "module newnic.ko was built for kernel 6.1.0-test2, and the guest "
			      "has 6.1.0-test");
	assert_false(guest_has(&bench.guest, "/lib/modules/" MODULE_RELEASE "/updates"));
}

static void a_file_that_is_not_what_the_index_says_is_refused(void **state)
{
	_cleanup_bench_ struct bench bench = {.guest = {.root_fd = -1}};

	bench_open(&bench, state);
	add_module(&bench, MODULE_RELEASE);
	shell(bench.tree.root, "cd $1; printf x | dd of=newnic.ko bs=1 conv=notrunc status=none");
	apply(&bench);
	expect_failed(&bench, "newnic.ko is not what its index says: its SHA-256 is another");
}

static void a_kernel_is_installed_by_dpkg_and_becomes_the_default(void **state)
{
	_cleanup_bench_ struct bench bench = {.guest = {.root_fd = -1}};
	_cleanup_text_ struct text drop_in = {0};

	bench_open(&bench, state);
	add_kernel(&bench, "kmod",
		   "depmod " NEW_RELEASE "; test \"$INITRD\" = No; test -e /run/systemd/container");
	text_add(&bench.tree.index, "[kernel]\n" KERNEL_LINES("kmod"));
	pack_tree_file(&bench.tree, "kernel.deb");
	apply(&bench);
	assert_string_equal(packs_default_kernel(&bench.guest)->release, NEW_RELEASE);
	expect_done(&bench);
	expect_record(&bench, "\"kernel\":\"" NEW_RELEASE "\"");
	assert_int_equal(
		guest_read(&bench.guest, "/etc/default/grub.d/zz-v2p-kernel.cfg", &drop_in, NULL),
		1);
	assert_non_null(strstr(text_string(&drop_in), "gnulinux-" NEW_RELEASE "-advanced"));
	/* The package itself is not left there. */
	assert_false(guest_has(&bench.guest, "/var/lib/v2p/packs/0.deb"));
}

static void a_script_that_fails_is_a_failed_check(void **state)
{
	_cleanup_bench_ struct bench bench = {.guest = {.root_fd = -1}};

	bench_open(&bench, state);
	add_kernel(&bench, "kmod", "echo it will not do >&2; exit 3");
	text_add(&bench.tree.index, "[kernel]\n" KERNEL_LINES("kmod"));
	pack_tree_file(&bench.tree, "kernel.deb");
	apply(&bench);
	expect_failed(&bench, "the guest's package manager gave up; it may ask for repair when the "
			      "system runs");
}

static void a_package_that_needs_more_than_its_index_says_is_refused(void **state)
{
	_cleanup_bench_ struct bench bench = {.guest = {.root_fd = -1}};

	bench_open(&bench, state);
	add_kernel(&bench, "kmod, more", "");
	text_add(&bench.tree.index, "[kernel]\n" KERNEL_LINES("kmod"));
	pack_tree_file(&bench.tree, "kernel.deb");
	apply(&bench);
	expect_failed(&bench, "kernel.deb needs other packages than the index of its pack says: "
			      "write the index with `v2p pack build`");
	assert_false(guest_has(&bench.guest, "/boot/vmlinuz-" NEW_RELEASE));
}

static void without_packs_the_step_does_nothing(void **state)
{
	_cleanup_bench_ struct bench bench = {.guest = {.root_fd = -1}};
	_cleanup_error_ struct error err = {0};

	bench_open(&bench, state);
	bench.adaptation = (struct adaptation){.guest = &bench.guest};
	assert_int_equal(step_packs.plan(&bench.adaptation, &bench.changes, &err), 0);
	assert_int_equal(bench.changes.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_module_is_installed_and_drives_the_device),
		cmocka_unit_test(firmware_goes_where_the_kernel_looks_first),
		cmocka_unit_test(a_module_of_another_kernel_is_refused),
		cmocka_unit_test(a_file_that_is_not_what_the_index_says_is_refused),
		cmocka_unit_test(a_kernel_is_installed_by_dpkg_and_becomes_the_default),
		cmocka_unit_test(a_script_that_fails_is_a_failed_check),
		cmocka_unit_test(a_package_that_needs_more_than_its_index_says_is_refused),
		cmocka_unit_test(without_packs_the_step_does_nothing),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
