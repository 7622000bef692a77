// SPDX-License-Identifier: GPL-3.0-or-later
#include "boot/efi_entry.h"
#include "tests/boot/machine.h"

/* A store in memory, which fails when it has taken as many changes as it is told to. */
struct fake_variable {
	char name[16];
	struct text value;
};

struct fake_store {
	struct fake_variable variable[16];
	size_t count, changes, fails_after;
};

static struct fake_variable *fake_find(struct fake_store *fake, const char *name)
{
	for (size_t i = 0; i < fake->count; i++)
		if (strcmp(fake->variable[i].name, name) == 0)
			return &fake->variable[i];
	return NULL;
}

static int fake_list(void *context, struct strings *names, struct error *err)
{
	struct fake_store *fake = context;

	(void)err;
	for (size_t i = 0; i < fake->count; i++)
		strings_add(names, fake->variable[i].name);
	strings_sort(names);
	return 0;
}

static int fake_get(void *context, const char *name, struct text *value, struct error *err)
{
	const struct fake_variable *variable = fake_find(context, name);

	(void)err;
	if (!variable)
		return 0;
	text_add_bytes(value, variable->value.data, variable->value.length);
	return 1;
}

static int fake_set(void *context, const char *name, const void *data, size_t length,
		    struct error *err)
{
	struct fake_store *fake = context;
	struct fake_variable *variable = fake_find(fake, name);

	if (fake->changes++ >= fake->fails_after)
		return error_sys(err, ENOSPC, "write firmware variable %s", name);
	if (!variable) {
		variable = &fake->variable[fake->count++];
		snprintf(variable->name, sizeof(variable->name), "%s", name);
	}
	text_release(&variable->value);
	text_add_bytes(&variable->value, data, length);
	return 0;
}

static int fake_remove(void *context, const char *name, struct error *err)
{
	struct fake_store *fake = context;
	struct fake_variable *variable = fake_find(fake, name);

	(void)err;
	fake->changes++;
	if (!variable)
		return 0;
	text_release(&variable->value);
	*variable = fake->variable[--fake->count];
	fake->variable[fake->count] = (struct fake_variable){0};
	return 0;
}

static const struct efi_store_ops fake_ops = {fake_list, fake_get, fake_set, fake_remove};

static struct fake_store fake;
static const struct efi_store store = {&fake_ops, &fake};

static struct partition esp = {.number = 1,
			       .start = 1 << 20,
			       .length = 64 << 20,
			       .partuuid = (char *)ESP_PARTUUID,
			       .is_esp = true};
static struct layout layout = {
	.table = (char *)"gpt", .sector_size = 512, .partition = &esp, .count = 1};

static struct efi_wanted wanted(const struct strings *partitions)
{
	return (struct efi_wanted){"debian", "\\EFI\\debian\\shimx64.efi", &layout, &esp,
				   partitions};
}

static int setup(void **state)
{
	(void)state;
	fake = (struct fake_store){.fails_after = SIZE_MAX};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < fake.count; i++)
		text_release(&fake.variable[i].value);
	return 0;
}

static void add_entry(const char *name, const char *label, const char *partuuid, const char *file)
{
	struct partition partition = esp;
	_cleanup_text_ struct text option = {0};
	_cleanup_error_ struct error err = {0};

	partition.partuuid = (char *)partuuid;
	if (efi_option_make(&layout, &partition, label, file, &option, &err) < 0)
		fail_msg("%s", error_text(&err));
	assert_int_equal(fake_set(&fake, name, option.data, option.length, NULL), 0);
}

static void set_order(const char *bytes, size_t length)
{
	assert_int_equal(fake_set(&fake, "BootOrder", bytes, length, NULL), 0);
}

/* Plans and applies; returns whether there was anything to do. */
static bool run(const struct strings *partitions)
{
	_cleanup_efi_entries_ struct efi_entries entries = {0};
	_cleanup_efi_entry_plan_ struct efi_entry_plan plan = {0};
	const struct efi_wanted want = wanted(partitions);
	bool had_work;

	assert_int_equal(efi_entries_read(&store, &entries, NULL), 0);
	assert_int_equal(efi_entry_plan_make(&entries, &want, &plan, NULL), 0);
	had_work = !efi_entry_plan_is_empty(&plan);
	if (had_work)
		assert_int_equal(efi_entry_plan_apply(&store, &plan, NULL), 0);
	return had_work;
}

static void assert_order(const char *bytes, size_t length)
{
	const struct fake_variable *order = fake_find(&fake, "BootOrder");

	assert_non_null(order);
	assert_int_equal(order->value.length, length);
	assert_memory_equal(order->value.data, bytes, length);
}

static void an_option_reads_back_as_it_was_made(void **state)
{
	_cleanup_efi_entries_ struct efi_entries entries = {0};

	(void)state;
	add_entry("Boot00A3",
		  "d\xc3\xa9"
		  "bian",
		  ESP_PARTUUID, "\\EFI\\debian\\shimx64.efi");
	set_order("\xa3\0\1\0", 4);
	assert_int_equal(efi_entries_read(&store, &entries, NULL), 0);
	assert_int_equal(entries.count, 1);
	assert_int_equal(entries.item[0].number, 0xa3);
	assert_int_equal(entries.item[0].attributes, 1);
	assert_string_equal(entries.item[0].label, "d\xc3\xa9"
						   "bian");
	assert_string_equal(entries.item[0].partition, ESP_PARTUUID);
	assert_string_equal(entries.item[0].file, "\\EFI\\debian\\shimx64.efi");
	assert_int_equal(entries.order_count, 2);
}

/* UEFI 2.10 table 10.49 and 3.1.3: the layout of the bytes is the firmware's, not ours. */
static void an_option_has_the_bytes_of_the_specification(void **state)
{
	static const uint8_t hard_drive[] = {
		4, 1, 42, 0, 1, 0, 0, 0,    0,    8,    0,    0,    0,    0,    0,    0,    0,
		0, 2, 0,  0, 0, 0, 0, 0xee, 0xee, 0xee, 0xee, 0x55, 0x55, 0x55, 0x45, 0x85, 0x55};
	_cleanup_text_ struct text option = {0};

	(void)state;
	assert_int_equal(efi_option_make(&layout, &esp, "d", "\\a", &option, NULL), 0);
	assert_memory_equal(option.data, "\1\0\0\0", 4);
	assert_memory_equal(option.data + 6, "d\0\0\0", 4);
	assert_memory_equal(option.data + 10, hard_drive, sizeof(hard_drive));
	assert_memory_equal(option.data + 10 + 40, "\2\2", 2);
	assert_memory_equal(option.data + 10 + 42, "\4\4\12\0\\\0a\0\0\0\x7f\xff\4\0", 14);
	assert_int_equal(option.length, 10 + 42 + 14);
	assert_int_equal(option.data[4], 42 + 14);
}

static void an_mbr_disk_is_named_by_its_signature(void **state)
{
	struct layout mbr = {.table = (char *)"msdos", .disk_id = (char *)"c1d2e3f4"};
	_cleanup_text_ struct text option = {0};
	_cleanup_efi_entries_ struct efi_entries entries = {0};

	(void)state;
	assert_int_equal(efi_option_make(&mbr, &esp, "d", "\\a", &option, NULL), 0);
	fake_set(&fake, "Boot0000", option.data, option.length, NULL);
	assert_int_equal(efi_entries_read(&store, &entries, NULL), 0);
	assert_string_equal(entries.item[0].partition, "c1d2e3f4-01");
}

static void an_empty_store_gets_the_entry_first(void **state)
{
	(void)state;
	assert_true(run(NULL));
	assert_non_null(fake_find(&fake, "Boot0000"));
	assert_order("\0\0", 2);
	assert_false(run(NULL));
}

static void other_entries_stay_behind_it(void **state)
{
	(void)state;
	add_entry("Boot0000", "network", "11111111-1111-1111-1111-111111111111", "\\pxe");
	set_order("\0\0\7\0", 4);
	assert_true(run(NULL));
	assert_non_null(fake_find(&fake, "Boot0001"));
	assert_order("\1\0\0\0\7\0", 6);
	assert_false(run(NULL));
}

static void an_entry_that_is_there_is_used_again(void **state)
{
	(void)state;
	add_entry("Boot0002", "network", "11111111-1111-1111-1111-111111111111", "\\pxe");
	add_entry("Boot0005", "Debian 12", "EEEEEEEE-5555-4555-8555-555555555555",
		  "\\efi\\DEBIAN\\SHIMX64.EFI");
	set_order("\2\0\5\0", 4);
	assert_true(run(NULL));
	assert_int_equal(fake.count, 3);
	assert_order("\5\0\2\0", 4);
	assert_false(run(NULL));
}

static void an_inactive_entry_is_made_active(void **state)
{
	(void)state;
	add_entry("Boot0005", "debian", ESP_PARTUUID, "\\EFI\\debian\\shimx64.efi");
	fake_find(&fake, "Boot0005")->value.data[0] = 0;
	set_order("\5\0", 2);
	assert_true(run(NULL));
	assert_int_equal(fake_find(&fake, "Boot0005")->value.data[0], 1);
	assert_false(run(NULL));
}

static void entries_of_earlier_systems_go_and_no_others(void **state)
{
	static const char gone[] = "99999999-9999-4999-8999-999999999999";
	_cleanup_strings_ struct strings partitions = {0};

	(void)state;
	strings_add(&partitions, ESP_PARTUUID);
	strings_add(&partitions, "22222222-2222-4222-8222-222222222222");
	add_entry("Boot0000", "debian", gone, "\\EFI\\debian\\shimx64.efi");
	add_entry("Boot0001", "ubuntu", gone, "\\EFI\\debian\\shimx64.efi");
	add_entry("Boot0002", "debian", gone, "\\EFI\\debian\\grubx64.efi");
	add_entry("Boot0003", "debian", "22222222-2222-4222-8222-222222222222",
		  "\\EFI\\debian\\shimx64.efi");
	set_order("\0\0\1\0\2\0\3\0", 8);
	assert_true(run(&partitions));
	assert_int_equal(fake.count, 5);
	assert_order("\0\0\1\0\2\0\3\0", 8);
	assert_false(run(&partitions));
}

static void nothing_is_stale_when_the_disks_are_not_all_known(void **state)
{
	(void)state;
	add_entry("Boot0000", "debian", "99999999-9999-4999-8999-999999999999",
		  "\\EFI\\debian\\shimx64.efi");
	assert_true(run(NULL));
	assert_int_equal(fake.count, 3);
}

static void variables_that_do_not_parse_are_kept(void **state)
{
	static const char *const junk[] = {"",
					   "\1",
					   "\1\0\0\0\xff\xff",
					   "\1\0\0\0\xff\xff"
					   "a\0\0\0\4\1\1\0",
					   "\1\0\0\0\4\0"
					   "a\0\0\0\4\1\xff\xff",
					   "\1\0\0\0\4\0"
					   "a\0\0\0\4\4\4\0"};
	static const size_t length[] = {0, 1, 6, 14, 14, 14};

	(void)state;
	for (size_t i = 0; i < array_length(junk); i++) {
		char name[16];

		snprintf(name, sizeof(name), "Boot%04zX", i);
		fake_set(&fake, name, junk[i], length[i], NULL);
	}
	fake_set(&fake, "BootCurrent", "\1\0", 2, NULL);
	fake_set(&fake, "Boot00zz", "\1\0", 2, NULL);
	set_order("\1\0\2", 3);
	assert_true(run(NULL));
	assert_non_null(fake_find(&fake, "Boot0006"));
	assert_order("\6\0\1\0", 4);
}

static void a_full_store_leaves_the_order_as_it_was(void **state)
{
	_cleanup_efi_entries_ struct efi_entries entries = {0};
	_cleanup_efi_entry_plan_ struct efi_entry_plan plan = {0};
	_cleanup_error_ struct error err = {0};
	const struct efi_wanted want = wanted(NULL);

	(void)state;
	set_order("\7\0", 2);
	fake.fails_after = 1;
	assert_int_equal(efi_entries_read(&store, &entries, NULL), 0);
	assert_int_equal(efi_entry_plan_make(&entries, &want, &plan, NULL), 0);
	assert_int_equal(efi_entry_plan_apply(&store, &plan, &err), -1);
	assert_string_equal(error_text(&err),
			    "write firmware variable Boot0000: No space left on device");
	assert_order("\7\0", 2);
}

static void names_that_are_too_long_are_refused(void **state)
{
	_cleanup_error_ struct error err = {0};
	_cleanup_text_ struct text option = {0};
	char name[400];

	(void)state;
	memset(name, 'a', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(efi_option_make(&layout, &esp, "debian", name, &option, &err), -1);
	assert_string_equal(error_text(&err), "firmware entry debian: name too long");
}

static void what_was_there_is_shown_with_its_bytes(void **state)
{
	_cleanup_efi_entries_ struct efi_entries entries = {0};
	json_object *json;

	(void)state;
	add_entry("Boot0003", "debian", ESP_PARTUUID, "\\EFI\\debian\\shimx64.efi");
	set_order("\3\0", 2);
	assert_int_equal(efi_entries_read(&store, &entries, NULL), 0);
	json = efi_entries_json(&entries);
	assert_contains(json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN),
			"{\"order\":[\"0003\"],\"entries\":[{\"number\":\"0003\","
			"\"label\":\"debian\",\"partition\":\"" ESP_PARTUUID "\"");
	assert_contains(json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN),
			"\"data\":\"01000000");
	json_object_put(json);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(an_option_reads_back_as_it_was_made),
		test(an_option_has_the_bytes_of_the_specification),
		test(an_mbr_disk_is_named_by_its_signature),
		test(an_empty_store_gets_the_entry_first),
		test(other_entries_stay_behind_it),
		test(an_entry_that_is_there_is_used_again),
		test(an_inactive_entry_is_made_active),
		test(entries_of_earlier_systems_go_and_no_others),
		test(nothing_is_stale_when_the_disks_are_not_all_known),
		test(variables_that_do_not_parse_are_kept),
		test(a_full_store_leaves_the_order_as_it_was),
		test(names_that_are_too_long_are_refused),
		test(what_was_there_is_shown_with_its_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
