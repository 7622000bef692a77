// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/scope.h"
#include "restore/duration.h"
#include "tests/test.h"

#define GIB (1ull << 30)

static struct source_ops raw_ops = {.name = "raw"};

struct fixture {
	struct source source;
	struct plan plan;
	struct plan_target target[2];
};

/* 100 GiB of data in an image file of that size, or of packed bytes. */
static void make(struct fixture *f, const char *name, uint64_t packed)
{
	*f = (struct fixture){
		.source = {.ops = &raw_ops, .name = (char *)name},
		.plan = {.image = json_object_new_object(),
			 .data_bytes = 100 * GIB,
			 .target_count = 1},
	};
	json_object_object_add(f->plan.image, "file-size",
			       json_object_new_uint64(packed ? packed : 100 * GIB));
}

static void release(struct fixture *f)
{
	json_object_put(f->plan.image);
}

static void set_disk(struct fixture *f, size_t i, const char *transport, bool rotational)
{
	f->target[i].disk.transport = (char *)transport;
	f->target[i].disk.rotational = rotational;
	f->plan.target = f->target;
}

static double seconds(struct fixture *f, enum write_proof proof, const char *limit)
{
	_cleanup_duration_ struct duration duration = {0};

	duration_estimate(&f->source, &f->plan, proof, &duration);
	assert_string_equal(duration.limit, limit);
	return duration.seconds;
}

static void a_hard_disk_is_slower_than_flash(void **state)
{
	struct fixture f;
	double disk, flash, nvme;

	(void)state;
	make(&f, "a.raw", 0);
	set_disk(&f, 0, "sata", true);
	disk = seconds(&f, WRITE_TRUST_DISK, "a SATA hard disk");
	set_disk(&f, 0, "sata", false);
	flash = seconds(&f, WRITE_TRUST_DISK, "a SATA solid state disk");
	set_disk(&f, 0, "nvme", false);
	nvme = seconds(&f, WRITE_TRUST_DISK, "reading the image");
	assert_true(disk > 600 && disk < 1200);
	assert_true(flash < disk && nvme < flash && nvme > 0);
	release(&f);
}

static void reading_back_takes_its_time(void **state)
{
	struct fixture f;

	(void)state;
	make(&f, "a.raw", 0);
	set_disk(&f, 0, "sata", true);
	assert_true(seconds(&f, WRITE_READ_BACK, "a SATA hard disk") >
		    1.5 * seconds(&f, WRITE_TRUST_DISK, "a SATA hard disk"));
	release(&f);
}

static void a_network_carries_what_a_packed_image_holds_sooner(void **state)
{
	struct fixture f;
	double plain, packed;

	(void)state;
	make(&f, "https://images.example/a.raw", 0);
	set_disk(&f, 0, "nvme", false);
	plain = seconds(&f, WRITE_TRUST_DISK, "the network");
	release(&f);
	make(&f, "https://images.example/a.qcow2", 30 * GIB);
	set_disk(&f, 0, "nvme", false);
	packed = seconds(&f, WRITE_TRUST_DISK, "the network and unpacking");
	release(&f);
	assert_true(packed < plain / 2);
}

static void the_slowest_of_several_disks_counts(void **state)
{
	struct fixture f;
	double one;

	(void)state;
	make(&f, "a.raw", 0);
	set_disk(&f, 0, "usb", false);
	one = seconds(&f, WRITE_TRUST_DISK, "a USB disk");
	set_disk(&f, 1, "nvme", false);
	f.plan.target_count = 2;
	assert_true(seconds(&f, WRITE_TRUST_DISK, "a USB disk") == one);
	release(&f);
}

static void a_disk_that_does_not_say_what_it_is_has_a_figure(void **state)
{
	struct fixture f;

	(void)state;
	make(&f, "a.raw", 0);
	set_disk(&f, 0, NULL, true);
	assert_true(seconds(&f, WRITE_TRUST_DISK, "a hard disk") > 0);
	set_disk(&f, 0, "new-bus", false);
	assert_true(seconds(&f, WRITE_TRUST_DISK, "a disk of an unknown kind") > 0);
	release(&f);
}

static void of_a_stream_and_without_a_disk_nothing_is_known(void **state)
{
	struct fixture f;

	(void)state;
	make(&f, "a.raw", 0);
	f.plan.target_count = 0;
	assert_true(seconds(&f, WRITE_TRUST_DISK, "no disk was named") == 0);
	f.plan.is_stream = true;
	assert_true(seconds(&f, WRITE_TRUST_DISK,
			    "how much data a stream holds shows at its end") == 0);
	release(&f);
}

static void durations_are_said_roughly(void **state)
{
	static const struct {
		double seconds;
		const char *words;
	} rows[] = {
		{0.1, "15 seconds"}, {44, "half a minute"}, {50, "a minute"},  {90, "2 minutes"},
		{610, "10 minutes"}, {5990, "100 minutes"}, {7000, "2 hours"},
	};

	(void)state;
	for (size_t i = 0; i < array_length(rows); i++) {
		_cleanup_free_ char *words = duration_format(rows[i].seconds);

		assert_string_equal(words, rows[i].words);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hard_disk_is_slower_than_flash),
		cmocka_unit_test(reading_back_takes_its_time),
		cmocka_unit_test(a_network_carries_what_a_packed_image_holds_sooner),
		cmocka_unit_test(the_slowest_of_several_disks_counts),
		cmocka_unit_test(a_disk_that_does_not_say_what_it_is_has_a_figure),
		cmocka_unit_test(of_a_stream_and_without_a_disk_nothing_is_known),
		cmocka_unit_test(durations_are_said_roughly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
