// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/scope.h"
#include "cli/proposal.h"
#include "tests/test.h"

/* Two disks of one machine. */
struct fixture {
	struct proposal proposal;
	struct prediction prediction[2];
};

static void make(struct fixture *f)
{
	*f = (struct fixture){.proposal = {.prediction = f->prediction, .prediction_count = 2}};
	for (size_t i = 0; i < 2; i++) {
		report_init(&f->prediction[i].report);
		f->prediction[i].guest = json_object_new_object();
	}
}

static void release(struct fixture *f)
{
	for (size_t i = 0; i < 2; i++)
		prediction_release(&f->prediction[i]);
	error_release(&f->proposal.obstacle);
}

static void expect_refusal(const struct fixture *f, const struct job *job, const char *message)
{
	_cleanup_error_ struct error err = {0};

	assert_int_equal(proposal_check(&f->proposal, job, &err), -1);
	assert_string_equal(error_text(&err), message);
}

static void the_disk_that_fares_worst_is_the_answer(void **state)
{
	const struct job job = {0}, forced = {.force_boot_verdict = true};
	struct fixture f;

	(void)state;
	make(&f);
	boot_answer_add(&f.prediction[0].answer, BOOT_WILL_BUT, NULL, "it is slow");
	assert_int_equal(proposal_answer(&f.proposal)->verdict, BOOT_WILL_BUT);
	assert_int_equal(proposal_check(&f.proposal, &job, NULL), 0);
	boot_answer_add(&f.prediction[1].answer, BOOT_WILL_NOT, "get one", "it has no driver");
	assert_int_equal(proposal_answer(&f.proposal)->verdict, BOOT_WILL_NOT);
	expect_refusal(&f, &job,
		       "will not boot because it has no driver: get one (--force-boot-verdict "
		       "restores it nevertheless)");
	assert_int_equal(proposal_check(&f.proposal, &forced, NULL), 0);
	release(&f);
}

static void what_is_not_known_is_no_refusal(void **state)
{
	const struct job job = {0};
	struct fixture f;

	(void)state;
	make(&f);
	boot_answer_add(&f.prediction[0].answer, BOOT_UNKNOWN, NULL, "it is a stream");
	assert_int_equal(proposal_answer(&f.proposal)->verdict, BOOT_UNKNOWN);
	assert_int_equal(proposal_check(&f.proposal, &job, NULL), 0);
	release(&f);
}

static void an_obstacle_cannot_be_forced(void **state)
{
	const struct job forced = {.force_boot_verdict = true};
	struct fixture f;

	(void)state;
	make(&f);
	error_set(&f.proposal.obstacle, "this takes root");
	expect_refusal(&f, &forced, "this takes root");
	release(&f);
}

static void without_a_prediction_there_is_no_answer(void **state)
{
	const struct job job = {0};
	const struct proposal proposal = {0};

	(void)state;
	assert_null(proposal_answer(&proposal));
	assert_int_equal(proposal_check(&proposal, &job, NULL), 0);
}

static size_t compare(const struct fixture *f, const char *step, const char *file)
{
	struct report report;
	size_t count;

	report_init(&report);
	report_change(&report, step, file, "it has to be", NULL);
	proposal_compare(&f->proposal, &report);
	count = report_count(&report, "warnings");
	report_release(&report);
	return count;
}

static void a_change_that_was_not_foreseen_is_told(void **state)
{
	const char *argv[] = {"true", NULL};
	struct fixture f;

	(void)state;
	make(&f);
	changes_run(&f.prediction[0].changes, "fstab", "/etc/fstab", "it has to be", argv);
	changes_run(&f.prediction[1].changes, "xorg", "/etc/X11/xorg.conf", "it has to be", argv);
	assert_int_equal(compare(&f, "fstab", "/etc/fstab"), 0);
	assert_int_equal(compare(&f, "xorg", "/etc/X11/xorg.conf"), 0);
	assert_int_equal(compare(&f, "fstab", "/etc/crypttab"), 1);
	/* Not changes of the guest. */
	assert_int_equal(compare(&f, "restore", "/dev/sda"), 0);
	assert_int_equal(compare(&f, "grow", "resize2fs /dev/sda1"), 0);
	/* What packs bring has more names than the plan. */
	changes_run(&f.prediction[0].changes, "packs", "driver packs", "it has to be", argv);
	assert_int_equal(compare(&f, "initramfs", "initramfs of 6.1"), 0);
	release(&f);
}

static void of_a_guest_that_was_not_read_nothing_was_foreseen(void **state)
{
	struct fixture f;

	(void)state;
	make(&f);
	json_object_put(f.prediction[0].guest);
	f.prediction[0].guest = NULL;
	assert_int_equal(compare(&f, "fstab", "/etc/fstab"), 0);
	release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_disk_that_fares_worst_is_the_answer),
		cmocka_unit_test(what_is_not_known_is_no_refusal),
		cmocka_unit_test(an_obstacle_cannot_be_forced),
		cmocka_unit_test(without_a_prediction_there_is_no_answer),
		cmocka_unit_test(a_change_that_was_not_foreseen_is_told),
		cmocka_unit_test(of_a_guest_that_was_not_read_nothing_was_foreseen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
