// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/restore/used-image.h"

#include "restore/used_lvm.h"

/* LVM takes devices only. lv is `lvcreate` and `lvextend` with everything that keeps them from the
 * machine's own volumes; none is activated. */
#define WITH_GROUP                                                                                 \
	"set -e; dev=$(losetup --find --show image); trap 'losetup --detach $dev' EXIT; "          \
	"c=\"devices{use_devicesfile=0 filter=[\\\"a|^$dev\\$|\\\",\\\"r|.*|\\\"]} "               \
	"global{activation=0} backup{backup=0 archive=0} activation{udev_sync=0 udev_rules=0 "     \
	"monitoring=0}\"; "                                                                        \
	"lv() { p=$1; shift; $p -q --config \"$c\" \"$@\" >lvm.out 2>&1 || { cat lvm.out; exit "   \
	"1; "                                                                                      \
	"}; }; lv pvcreate $dev; lv vgcreate v2ptest $dev; "

#define CREATE "lv lvcreate -an -Wn -Zn v2ptest "

static void make_group(const char *commands)
{
	_cleanup_free_ char *line = string_format(WITH_GROUP "%s", commands);

	if (geteuid() != 0 || access("/dev/loop-control", W_OK) < 0) {
		print_message("loop devices need root\n");
		free(steal(&line));
		skip();
	}
	make_image(256 * MIB);
	run("lvcreate", line);
}

/* root: 64 MiB at 1 MiB and 36 MiB at 85 MiB; swap: 20 MiB between them; home: 20 MiB. */
static void make_volumes(void)
{
	make_group(CREATE "-n root -L 64M; " CREATE "-n swap -L 20M; "
			  "lv lvextend -n v2ptest/root -L 100M; " CREATE "-n home -L 20M");
	run("mke2fs", "truncate -s 100M root && mkdir tree && for i in $(seq 60); do "
		      "head -c $((i * 20000)) /dev/urandom >tree/$i; done && "
		      "mke2fs -q -F -t ext4 -d tree root && "
		      "for i in $(seq 2 2 60); do echo rm $i; done | debugfs -w -f - root && "
		      "dd if=root of=image bs=1M seek=1 count=64 conv=notrunc status=none && "
		      "dd if=root of=image bs=1M seek=85 skip=64 conv=notrunc status=none && "
		      "truncate -s 20M swap && mkswap -q swap && "
		      "dd if=swap of=image bs=1M seek=65 conv=notrunc status=none");
}

static void file_systems_in_linear_volumes_are_understood(void **state)
{
	uint64_t unused;

	(void)state;
	make_volumes();
	unused = restore();
	if (unused < 150 * MIB)
		fail_msg("%llu bytes unused", (unsigned long long)unused);
	run("e2fsck", "dd if=disk bs=1M skip=1 count=64 status=none >back && "
		      "dd if=disk bs=1M skip=85 count=36 status=none >>back && e2fsck -fn back && "
		      "mkdir before after; debugfs -R 'rdump / before' root; "
		      "debugfs -R 'rdump / after' back; diff -r before after && test -s after/59");
	/* The first MiB, swap's header, and a volume of unknown content are there. */
	run("cmp", "cmp -n 1048576 image disk && cmp -i 68157440 -n 65536 image disk && "
		   "cmp -i 126877696 -n 20971520 image disk");
}

static void each_volume_is_listed(void **state)
{
	_cleanup_source_ struct source *source = NULL;
	json_object *list;

	(void)state;
	make_volumes();
	source = open_image();
	list = used_blocks_json(source->used);
	assert_string_equal(
		json_object_to_json_string_ext(list, JSON_C_TO_STRING_PLAIN),
		"[{\"partition\":0,\"filesystem\":\"LVM2_member\",\"understood\":true,\"why\":null}"
		","
		"{\"partition\":0,\"volume\":\"root\",\"filesystem\":\"ext4\",\"understood\":true,"
		"\"why\":null},"
		"{\"partition\":0,\"volume\":\"swap\",\"filesystem\":\"swap\",\"understood\":true,"
		"\"why\":null},"
		"{\"partition\":0,\"volume\":\"home\",\"filesystem\":null,\"understood\":false,"
		"\"why\":\"its content is not known\"}]");
	json_object_put(list);
}

static void metadata_that_went_around_its_ring_is_read(void **state)
{
	(void)state;
	/* Each change is about 1 KiB of the ring's MiB. */
	make_group(CREATE "-n a -L 4M; i=0; while [ $i -lt 900 ]; do i=$((i + 1)); "
			  "t=\"$t --addtag tag$i-0123456789-0123456789-0123456789-0123456789\"; "
			  "done; for i in $(seq 20); do lv lvchange $t v2ptest/a; "
			  "lv lvchange $(echo \"$t\" | sed s/addtag/deltag/g) v2ptest/a; "
			  "lv lvchange $t v2ptest/a; done");
	assert_true(restore() >= 240 * MIB);
}

static void volumes_that_are_not_linear_are_copied_whole(void **state)
{
	(void)state;
	make_group(CREATE "-n a -L 64M; lv lvcreate -an -s -L 20M -n b v2ptest/a");
	assert_declined("it has volumes that are not linear");
}

static void a_physical_volume_without_a_group_is_copied_whole(void **state)
{
	(void)state;
	make_group("lv vgremove v2ptest");
	assert_declined("it belongs to no volume group, or keeps its metadata elsewhere");
}

static void metadata_with_a_wrong_checksum_is_not_believed(void **state)
{
	(void)state;
	make_group(CREATE "-n a -L 64M");
	run("grep", "at=$(grep -abo 'Text Format' image | tail -n 1 | cut -d: -f1); "
		    "printf X | dd of=image bs=1 seek=$at conv=notrunc status=none; "
		    "for at in $(grep -abo 'Text Format' image | cut -d: -f1); do "
		    "printf X | dd of=image bs=1 seek=$at conv=notrunc status=none; done");
	assert_declined("its metadata has a wrong checksum");
}

static int count(void *context, const struct used_lvm_setting *setting, struct error *err)
{
	(void)setting;
	(void)err;
	(*(int *)context)++;
	return USED_KNOWN;
}

static int read_text(const char *text)
{
	_cleanup_error_ struct error err = {0};
	int calls = 0;
	const struct used_lvm_reader reader = {
		.begin = count, .set = count, .end = count, .context = &calls};
	int r = used_lvm_text_read(text, &reader, &err);

	if (r == USED_KNOWN)
		return calls;
	assert_int_equal(r, USED_DECLINED);
	assert_string_equal(error_text(&err), "its metadata is not written as LVM writes it");
	return -1;
}

static void text_is_read_to_its_end(void **state)
{
	(void)state;
	assert_int_equal(read_text(""), 0);
	assert_int_equal(read_text("# no more"), 0);
	assert_int_equal(read_text("a = 1\nb { c = [\"x\\\"}\", 2,]\n# }\nd=[] }"), 5);
}

static void text_that_is_malformed_is_refused(void **state)
{
	static const char *const texts[] = {
		"a",       "a =", "a = [",    "a = [1 2]",          "a = \"x", "a {",    "}",
		"a = 1 }", "= 1", "a = \"\\", "a{a{a{a{a{a{a{a{a{", "a = {",   "a = [,]"};

	(void)state;
	for (size_t i = 0; i < array_length(texts); i++)
		if (read_text(texts[i]) != -1)
			fail_msg("%s", texts[i]);
}

static void numbers_are_decimal_and_bounded(void **state)
{
	uint64_t number = 7;

	(void)state;
	assert_true(used_lvm_word_number(&(struct used_lvm_word){"123x", 3}, &number));
	assert_int_equal(number, 123);
	assert_false(used_lvm_word_number(&(struct used_lvm_word){"", 0}, &number));
	assert_false(used_lvm_word_number(&(struct used_lvm_word){"-1", 2}, &number));
	assert_false(
		used_lvm_word_number(&(struct used_lvm_word){"9999999999999999999", 19}, &number));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(file_systems_in_linear_volumes_are_understood),
		test(each_volume_is_listed),
		test(metadata_that_went_around_its_ring_is_read),
		test(volumes_that_are_not_linear_are_copied_whole),
		test(a_physical_volume_without_a_group_is_copied_whole),
		test(metadata_with_a_wrong_checksum_is_not_believed),
		cmocka_unit_test(text_is_read_to_its_end),
		cmocka_unit_test(text_that_is_malformed_is_refused),
		cmocka_unit_test(numbers_are_decimal_and_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
