// SPDX-License-Identifier: GPL-3.0-or-later
/* One function in several threads. */
#include "tests/test.h"

#include <unistd.h>

#include "restore/workers.h"

struct crew {
	struct workers workers;
	atomic_int started;
	int fails; /* the number of the one that fails; 0: none */
};

static int work(void *context, struct error *err)
{
	struct crew *crew = context;
	int number = atomic_fetch_add(&crew->started, 1) + 1;

	if (number == crew->fails)
		return error_set(err, "number %d fails", number);
	return 0;
}

static void tick(void *context)
{
	(void)context;
}

static int run(struct crew *crew, struct error *err)
{
	crew->workers = (struct workers){.work = work, .tick = tick, .context = crew};
	return workers_run(&crew->workers, err);
}

static void there_is_one_more_than_processors_up_to_a_limit(void **state)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	struct crew crew = {0};

	(void)state;
	assert_int_equal(run(&crew, NULL), 0);
	assert_int_equal(atomic_load(&crew.started),
			 processors + 1 < WORKERS_MAX ? processors + 1 : WORKERS_MAX);
	assert_int_equal(atomic_load(&crew.started), workers_count());
}

static void the_error_of_one_is_the_error_of_all(void **state)
{
	struct crew crew = {.fails = 2};
	_cleanup_error_ struct error err = {0};

	(void)state;
	assert_int_equal(run(&crew, &err), -1);
	assert_string_equal(error_text(&err), "number 2 fails");
	assert_true(atomic_load(&crew.workers.failed));
	assert_int_equal(atomic_load(&crew.started), workers_count());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_is_one_more_than_processors_up_to_a_limit),
		cmocka_unit_test(the_error_of_one_is_the_error_of_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
