// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/adapt/step-fixture.h"

static struct fixture *open_named(char *hostname)
{
	struct fixture *f = fixture_open();

	f->adaptation.hostname = hostname;
	tree_file("/etc/hostname", "golden-a\n");
	return f;
}

static void the_name_goes_to_hostname_and_hosts(void **state)
{
	struct fixture *f = open_named("ws1");

	(void)state;
	fixture_file(f, &step_identity, "/etc/hosts",
		     "127.0.0.1\tlocalhost\n127.0.1.1\tgolden-a.example.org\tgolden-a\n"
		     "::1 localhost ip6-localhost # v6\n10.0.0.1 golden-a\n",
		     "127.0.0.1\tlocalhost\n127.0.1.1\tws1.example.org\tws1\n"
		     "::1 localhost ip6-localhost # v6\n10.0.0.1 golden-a\n");
	assert_tree_file("/etc/hostname", "ws1\n");
	fixture_close(f);
}

static void without_a_name_nothing_changes(void **state)
{
	struct fixture *f = open_named(NULL);

	(void)state;
	fixture_run(f, &step_identity);
	assert_tree_file("/etc/hostname", "golden-a\n");
	fixture_close(f);
}

static void a_guest_without_a_name_gets_one(void **state)
{
	struct fixture *f = open_named("ws1");
	_cleanup_free_ char *full = tree_path("/etc/hostname");

	(void)state;
	unlink(full);
	fixture_file(f, &step_identity, "/etc/hosts", "127.0.0.1 localhost\n",
		     "127.0.0.1 localhost\n");
	assert_tree_file("/etc/hostname", "ws1\n");
	fixture_close(f);
}

static void what_is_no_host_name_is_refused(void **state)
{
	static char *const names[] = {"",     "a b", "-a",  "a-",  "a..b", ".a",
				      "a.-b", "a_b", "a/b", "a\n", "a."};

	(void)state;
	for (size_t i = 0; i < array_length(names); i++) {
		struct fixture *f = open_named(names[i]);
		_cleanup_error_ struct error err = {0};

		assert_int_equal(step_identity.plan(&f->adaptation, &f->changes, &err), -1);
		assert_non_null(strstr(error_text(&err), "is not a host name: letters, digits and "
							 "hyphens"));
		fixture_close(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		step_test(the_name_goes_to_hostname_and_hosts),
		step_test(without_a_name_nothing_changes),
		step_test(a_guest_without_a_name_gets_one),
		step_test(what_is_no_host_name_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
