// SPDX-License-Identifier: GPL-3.0-or-later
/* v2p drivers, as a user runs it, on a tree with the index of a real kernel's modules. */
#include "tests/cli/program.h"

#include <json-c/json.h>

#include "tests/adapt/module-tree.h"

#define Q35 V2P_SOURCE_DIR "/tests/data/pci-q35-ahci.lspci"
#define MEGASAS V2P_SOURCE_DIR "/tests/data/pci-i440fx-megasas.lspci"

static int make_tree(void **state)
{
	static const char *const tools[][3] = {{"depmod", "--version"}, {"cc", "--version"}};
	const struct strings none = {0};
	char *root;

	if (enter_directory(NULL) < 0)
		return -1;
	for (size_t i = 0; i < array_length(tools); i++)
		if (process_check(tools[i], NULL, NULL) < 0)
			return 0;
	root = module_tree_make(&none, false);
	tree_text(root, "etc/os-release",
		  "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n");
	tree_text(root, "etc/fstab", "UUID=1 / ext4 defaults 0 1\n");
	*state = root;
	return 0;
}

static int remove_tree(void **state)
{
	char *root = *state;

	tree_remove(&root);
	return remove_directory(NULL);
}

static const char *need(void **state)
{
	if (!*state) {
		print_message("depmod or cc is missing\n");
		skip();
	}
	return *state;
}

static json_object *get(json_object *object, const char *key)
{
	json_object *value = NULL;

	if (!json_object_object_get_ex(object, key, &value))
		fail_msg("there is no %s in %s", key, json_object_get_string(object));
	return value;
}

static json_object *drivers_json(const char *root, const char *option, const char *file)
{
	_cleanup_process_result_ struct process_result result = {0};
	json_object *document;

	v2p(&result, "drivers", "--json", "--root", root, option, file);
	if (result.status != 0)
		fail_msg("%s", text_string(&result.errors));
	document = json_tokener_parse(text_string(&result.output));
	assert_non_null(document);
	return document;
}

static json_object *find_device(json_object *kernel, const char *slot)
{
	json_object *devices = get(kernel, "devices");

	for (size_t i = 0; i < json_object_array_length(devices); i++) {
		json_object *device = json_object_array_get_idx(devices, i);

		if (strcmp(json_object_get_string(get(device, "slot")), slot) == 0)
			return device;
	}
	fail_msg("%s is not listed", slot);
	return NULL;
}

static void every_device_of_every_kernel_has_a_verdict(void **state)
{
	json_object *document = drivers_json(need(state), "--pci-dump", Q35);
	json_object *kernel = json_object_array_get_idx(get(document, "kernels"), 0);
	json_object *ahci = find_device(kernel, "0000:00:1f.2");
	json_object *modules = get(ahci, "modules");

	assert_string_equal(json_object_get_string(get(kernel, "release")), MODULE_RELEASE);
	assert_string_equal(json_object_get_string(get(ahci, "class")), "0106");
	assert_string_equal(json_object_get_string(get(ahci, "id")), "8086:2922");
	assert_string_equal(json_object_to_json_string_ext(modules, JSON_C_TO_STRING_PLAIN),
			    "[\"ahci\"]");
	assert_string_equal(json_object_get_string(get(ahci, "verdict")), "module");
	assert_true(json_object_get_boolean(get(ahci, "boot_critical")));
	assert_false(
		json_object_get_boolean(get(find_device(kernel, "0000:00:01.0"), "boot_critical")));
	assert_string_equal(
		json_object_get_string(get(find_device(kernel, "0000:00:00.0"), "verdict")),
		"no-driver-needed");
	assert_int_equal(json_object_array_length(get(kernel, "hazards")), 0);
	json_object_put(document);
}

static void the_text_has_a_line_for_each_device_that_fits_80_columns(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};
	_cleanup_strings_ struct strings lines = {0};
	bool is_there = false;

	v2p(&result, "drivers", "--root", need(state), "--pci-dump", MEGASAS);
	assert_int_equal(result.status, 0);
	strings_split(&lines, text_string(&result.output), "\n");
	for (size_t i = 0; i < lines.count; i++) {
		/* A path of this test may be longer. */
		if (!has_prefix(lines.item[i], "Hardware"))
			assert_true(strlen(lines.item[i]) < 80);
		is_there = is_there ||
			   has_prefix(lines.item[i],
				      "  * 00:02.0       1000:0060 module           megaraid_sas");
	}
	assert_true(is_there);
	assert_non_null(strstr(text_string(&result.output), "ata_piix+1"));
	assert_non_null(strstr(text_string(&result.output), "every storage controller is taken"));
}

/* A server that was looked at: the RAID controller shows no disk, Secure Boot is on. */
static const char server[] =
	"{\"hardware-version\":2,\"source\":\"server\",\"cpu\":\"GenuineIntel\","
	"\"firmware\":{\"mode\":\"uefi\",\"secure-boot\":true},\"devices\":["
	"{\"bus\":\"pci\",\"slot\":\"0000:02:00.0\",\"modalias\":\"pci:v00001000d00000060sv00001028"
	"sd00001F0Cbc01sc04i00\",\"class\":\"010400\",\"vendor\":\"1000\",\"device\":\"0060\"},"
	"{\"bus\":\"pci\",\"slot\":\"0000:03:00.0\",\"modalias\":\"pci:v000010ECd00008168sv00001043"
	"sd00008677bc02sc00i00\",\"class\":\"020000\",\"vendor\":\"10ec\",\"device\":\"8168\"}],"
	"\"network\":[],\"disks\":[]}";

static void problems_come_first_with_advice(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};
	const char *text, *no_disk, *unsigned_module, *firmware, *device;

	tree_text(".", "server.json", server);
	v2p(&result, "drivers", "--root", need(state), "--hardware", "server.json");
	assert_int_equal(result.status, 0);
	text = text_string(&result.output);
	no_disk = strstr(text, "  fatal  0000:02:00.0 (1000:0060) shows no disk: ");
	unsigned_module = strstr(text, "  fatal  Secure Boot is on, and megaraid_sas");
	firmware = strstr(text, "  note   the image has no firmware for 0000:03:00.0");
	device = strstr(text, "  * 02:00.0       1000:0060 module           megaraid_sas");
	assert_true(no_disk && unsigned_module && firmware && device);
	assert_true(no_disk < firmware && unsigned_module < firmware && firmware < device);
	assert_non_null(strstr(text, "firmware-missing r8169"));
}

static void firmware_names_its_files_in_json(void **state)
{
	json_object *document, *nic;

	tree_text(".", "server.json", server);
	document = drivers_json(need(state), "--hardware", "server.json");
	nic = find_device(json_object_array_get_idx(get(document, "kernels"), 0), "0000:03:00.0");
	assert_string_equal(json_object_get_string(get(nic, "verdict")), "firmware-missing");
	assert_int_equal(json_object_array_length(get(nic, "firmware")), 6);
	assert_string_equal(json_object_get_string(get(nic, "firmware_package")),
			    "firmware-realtek");
	json_object_put(document);
}

static void a_kernel_without_an_index_does_not_hide_the_others(void **state)
{
	_cleanup_free_ char *broken =
		string_format("%s/usr/lib/modules/7.0-broken", (const char *)need(state));
	json_object *document, *kernels;

	assert_int_equal(mkdir(broken, 0755), 0);
	document = drivers_json(need(state), "--pci-dump", Q35);
	kernels = get(document, "kernels");
	assert_int_equal(json_object_array_length(kernels), 2);
	assert_string_equal(
		json_object_get_string(get(json_object_array_get_idx(kernels, 0), "error")),
		"look up the modules of kernel 7.0-broken: modules.dep.bin is missing: depmod has "
		"not run for this kernel");
	find_device(json_object_array_get_idx(kernels, 1), "0000:00:1f.2");
	json_object_put(document);
	assert_int_equal(rmdir(broken), 0);
}

static void assert_refused(int status, const char *message, const char *const *argv)
{
	_cleanup_process_result_ struct process_result result = {0};

	run(&result, argv);
	assert_int_equal(result.status, status);
	if (!strstr(text_string(&result.errors), message))
		fail_msg("%s", text_string(&result.errors));
}

#define refused(status, message, ...)                                                              \
	assert_refused(status, message,                                                            \
		       (const char *const[]){V2P_PROGRAM, "drivers", __VA_ARGS__, NULL})

static void what_cannot_be_answered_is_refused(void **state)
{
	(void)state;
	tree_text("empty", "etc/os-release", "ID=debian\n");
	tree_text("empty", "etc/fstab", "");
	refused(2, "drivers wants one image or disk, or --root DIR", "--json");
	refused(2, "drivers wants one image or disk, or --root DIR", "--root", ".", "a.qcow2");
	refused(1, "there is no kernel: /lib/modules holds no release", "--root", "empty",
		"--pci-dump", Q35);
	refused(1, "not a Linux system", "--root", "/proc", "--pci-dump", Q35);
	refused(1, "nowhere.qcow2", "nowhere.qcow2", "--pci-dump", Q35);
	refused(1, "--hardware and --pci-dump exclude each other", "--root", "empty", "--pci-dump",
		Q35, "--hardware", "x");
}

/* mke2fs -d fills the file system without mounting it. */
static void a_raw_image_and_a_qcow2_image_answer_alike(void **state)
{
	_cleanup_free_ char *fill = NULL;
	_cleanup_process_result_ struct process_result raw = {0}, qcow2 = {0};

	need(state);
	if (geteuid() != 0) {
		print_message("reading an image takes root\n");
		skip();
	}
	fill = string_format("truncate -s 128M a.raw && mke2fs -q -t ext4 -d %s a.raw && "
			     "qemu-img convert -O qcow2 a.raw a.qcow2",
			     (const char *)*state);
	shell(fill);
	v2p(&raw, "drivers", "a.raw", "--pci-dump", Q35);
	v2p(&qcow2, "drivers", "a.qcow2", "--pci-dump", Q35);
	if (raw.status != 0 && strstr(text_string(&raw.errors), "/dev/fuse"))
		skip();
	assert_string_equal(text_string(&raw.errors), "");
	assert_int_equal(raw.status, 0);
	assert_string_equal(text_string(&raw.output), text_string(&qcow2.output));
	assert_non_null(strstr(text_string(&raw.output), "00:1f.2       8086:2922 module"));
	assert_non_null(strstr(text_string(&raw.output), "file system ext4 of /"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_device_of_every_kernel_has_a_verdict),
		cmocka_unit_test(the_text_has_a_line_for_each_device_that_fits_80_columns),
		cmocka_unit_test(problems_come_first_with_advice),
		cmocka_unit_test(firmware_names_its_files_in_json),
		cmocka_unit_test(a_kernel_without_an_index_does_not_hide_the_others),
		cmocka_unit_test(what_cannot_be_answered_is_refused),
		cmocka_unit_test(a_raw_image_and_a_qcow2_image_answer_alike),
	};

	return cmocka_run_group_tests(tests, make_tree, remove_tree);
}
