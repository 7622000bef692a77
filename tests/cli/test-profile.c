// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/test.h"

#include <unistd.h>

#include "base/file.h"
#include "base/scope.h"
#include "cli/profile.h"

static struct nic nic = {.name = "eth0", .mac = "52:54:00:12:34:56"};
static struct device device = {
	.bus = "pci", .slot = "0000:00:1f.2", .vendor = 0x8086, .device = 0x2922};
static const struct hardware machine = {
	.nic = &nic,
	.nic_count = 1,
	.device = &device,
	.device_count = 1,
	.dmi_vendor = "Dell Inc.",
	.dmi_product = "OptiPlex 7010",
};

static int parse(const char *text, struct profile *profile, struct error *err)
{
	return profile_parse("/media/profiles/lab.conf", text, profile, err);
}

static void expect_refusal(const char *text, const char *message)
{
	_cleanup_profile_ struct profile profile = {0};
	_cleanup_error_ struct error err = {0};

	assert_int_equal(parse(text, &profile, &err), -1);
	assert_string_equal(error_text(&err), message);
}

static void a_profile_gives_the_answers(void **state)
{
	_cleanup_profile_ struct profile profile = {0};

	(void)state;
	assert_int_equal(parse("[Match]\nproduct = OptiPlex*\n[Image]\npath = ../images/a.qcow2\n"
			       "[Disk]\nrule = smallest\n[Adapt]\nskip = xorg, tools\n"
			       "initramfs = list\ndriver-pack = ../packs/lab.tar http://x/packs/\n"
			       "driver-pack-key = lab.pub\n"
			       "force-boot-verdict = yes\n"
			       "[Network]\nmode = dhcp\n[Identity]\nhostname = pc-17\n"
			       "[After]\naction = reboot\n",
			       &profile, NULL),
			 0);
	assert_string_equal(profile.image, "/media/profiles/../images/a.qcow2");
	assert_string_equal(profile.rule, "smallest");
	assert_string_equal(profile.skip, "xorg, tools");
	assert_string_equal(profile.initramfs, "list");
	assert_string_equal(profile.driver_pack,
			    "/media/profiles/../packs/lab.tar http://x/packs/");
	assert_string_equal(profile.driver_pack_key, "/media/profiles/lab.pub");
	assert_true(profile.adapt);
	assert_int_equal(profile.network, NETWORK_DHCP);
	assert_string_equal(profile_get(&profile, "adapt.force-boot-verdict"), "yes");
	assert_string_equal(profile_get(&profile, "after.action"), "reboot");
	assert_string_equal(profile_get(&profile, "network.mode"), "dhcp");
	assert_string_equal(profile_get(&profile, "match.serial"), "");
	assert_null(profile_get(&profile, "after.party"));
}

static void an_unknown_key_is_refused_with_its_line(void **state)
{
	(void)state;
	expect_refusal("[Disk]\nrulle = smallest\n",
		       "profile /media/profiles/lab.conf, line 2: "
		       "unknown key rulle in [Disk]: it has rule, resume, "
		       "verify, used-blocks");
}

static void an_unknown_section_is_refused(void **state)
{
	(void)state;
	expect_refusal(
		"[Diks]\nrule = x\n",
		"profile /media/profiles/lab.conf, line 2: unknown section [Diks]: the sections "
		"are Match, Image, Disk, Adapt, Network, Identity, Report and After");
}

static void a_value_that_is_not_allowed_is_refused(void **state)
{
	(void)state;
	expect_refusal(
		"[After]\naction = explode\n",
		"profile /media/profiles/lab.conf, line 2: action = explode in [After]: it takes "
		"one of reboot, poweroff, shell");
	expect_refusal(
		"[Identity]\nhostname = a b\n",
		"profile /media/profiles/lab.conf, line 2: hostname = a b in [Identity] is not a "
		"host name");
	expect_refusal("[Adapt]\ninitramfs = dep\n",
		       "profile /media/profiles/lab.conf, line 2: initramfs = dep in [Adapt]: it "
		       "takes one of most, list");
	expect_refusal("[Disk]\nrule = smalest\n",
		       "profile /media/profiles/lab.conf, line 2: rule = smalest in [Disk] is not "
		       "a path or a disk rule such as size>=200G,rotational=0");
	expect_refusal("[Match]\ndisk-size = 200G\n",
		       "profile /media/profiles/lab.conf, line 2: disk-size = 200G in [Match] is "
		       "not a disk rule such as size>=200G");
}

static void a_key_given_twice_is_refused(void **state)
{
	(void)state;
	expect_refusal("[Disk]\nrule = smallest\nrule = largest\n",
		       "profile /media/profiles/lab.conf, line 3: rule in [Disk] is given twice");
}

static void what_is_not_ini_is_refused(void **state)
{
	(void)state;
	expect_refusal("[Disk]\nrule\n",
		       "profile /media/profiles/lab.conf, line 2: this is not `key = value`");
}

static void all_conditions_must_match(void **state)
{
	static const struct {
		const char *text;
		bool matches;
	} cases[] = {
		{"", true},
		{"[Match]\nproduct = optiplex*\n", true},
		{"[Match]\nproduct = Latitude*\n", false},
		{"[Match]\nproduct = OptiPlex*\nserial = ?*\n", false},
		{"[Match]\nmac = 52:54:00:*\n", true},
		{"[Match]\npci = 8086:2922\nvendor = Dell*\n", true},
		{"[Match]\npci = 10ec:*\n", false},
		{"[Match]\ndisk-size = size>=1G\n", false},
	};

	(void)state;
	for (size_t i = 0; i < array_length(cases); i++) {
		_cleanup_profile_ struct profile profile = {0};

		assert_int_equal(parse(cases[i].text, &profile, NULL), 0);
		assert_int_equal(profile_matches(&profile, &machine), cases[i].matches);
	}
}

static void write_file(const char *directory, const char *name, const char *text)
{
	_cleanup_free_ char *path = string_format("%s/%s", directory, name);

	assert_int_equal(file_replace(path, text, strlen(text), 0644, NULL), 0);
}

static void exactly_one_profile_must_match(void **state)
{
	char directory[] = "/tmp/v2p-test-profile-XXXXXX";
	_cleanup_strings_ struct strings from = {0};
	_cleanup_profile_ struct profile profile = {0};
	_cleanup_error_ struct error err = {0};
	_cleanup_free_ char *clean = NULL;

	(void)state;
	assert_non_null(mkdtemp(directory));
	strings_add(&from, directory);
	write_file(directory, "a.conf", "[Match]\nproduct=OptiPlex*\n");
	write_file(directory, "b.conf", "[Match]\nproduct=Latitude*\n");
	assert_int_equal(profile_choose(&from, &machine, &profile, &err), 0);
	assert_true(has_suffix(profile.origin, "/a.conf"));

	write_file(directory, "c.conf", "");
	profile_release(&profile);
	assert_int_equal(profile_choose(&from, &machine, &profile, &err), -1);
	assert_non_null(strstr(error_text(&err),
			       "more than one profile matches this machine (vendor "
			       "Dell Inc., product OptiPlex 7010"));
	assert_non_null(strstr(error_text(&err), "/a.conf, "));

	write_file(directory, "a.conf", "[Match]\nproduct=no\n");
	write_file(directory, "c.conf", "[Match]\nproduct=no\n");
	assert_int_equal(profile_choose(&from, &machine, &profile, &err), -1);
	assert_non_null(strstr(error_text(&err), "no profile matches this machine"));
	clean = string_format("rm -r %s", directory);
	assert_int_equal(system(clean), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_profile_gives_the_answers),
		cmocka_unit_test(an_unknown_key_is_refused_with_its_line),
		cmocka_unit_test(an_unknown_section_is_refused),
		cmocka_unit_test(a_value_that_is_not_allowed_is_refused),
		cmocka_unit_test(a_key_given_twice_is_refused),
		cmocka_unit_test(what_is_not_ini_is_refused),
		cmocka_unit_test(all_conditions_must_match),
		cmocka_unit_test(exactly_one_profile_must_match),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
