// SPDX-License-Identifier: GPL-3.0-or-later
#include "boot/boot_fit.h"
#include "boot/pe_signature.h"
#include "tests/boot/machine.h"

#define KERNEL "/boot/vmlinuz-6.1"
#define GRUB "/boot/efi/EFI/debian/grubx64.efi"
#define SHIM "/boot/efi/EFI/debian/shimx64.efi"

enum signature { UNSIGNED, SIGNED };

static void put(uint8_t *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

/* The headers of a PE32+ program, with a certificate table or without. */
static void write_program(const char *path, enum signature signature)
{
	uint8_t head[512] = {'M', 'Z'};
	uint8_t *pe = head + 0x80, *optional = pe + 24;

	put(head + 0x3c, 0x80);
	memcpy(pe, "PE\0\0", 4);
	optional[0] = 0x0b;
	optional[1] = 0x02;
	put(optional + 108, 16);
	if (signature == SIGNED) {
		put(optional + 112 + 4 * 8, 0x1000);
		put(optional + 112 + 4 * 8 + 4, 0x600);
	}
	tree_file_bytes(path, head, sizeof(head), 0644);
}

static int setup(void **state)
{
	if (tree_setup(state) < 0)
		return -1;
	write_program(KERNEL, SIGNED);
	write_program(GRUB, SIGNED);
	return 0;
}

static const struct guest_kernel kernel = {.release = (char *)"6.1", .image = (char *)KERNEL};

static char *check(struct machine *machine, enum boot_verdict verdict)
{
	_cleanup_boot_answer_ struct boot_answer answer = {0};
	_cleanup_error_ struct error err = {0};

	if (boot_fit_check(&machine->adaptation, &kernel, &answer, &err) < 0)
		fail_msg("%s", error_text(&err));
	assert_int_equal(answer.verdict, verdict);
	return boot_answer_sentence(&answer);
}

static void assert_signed(const char *path, int wanted)
{
	struct guest guest = {.root_fd = -1};

	assert_int_equal(guest_open_root(tree, &guest, NULL), 0);
	assert_int_equal(pe_is_signed(&guest, path, NULL), wanted);
	guest_release(&guest);
}

static void a_signature_is_seen(void **state)
{
	uint8_t head[512] = {'M', 'Z'};

	(void)state;
	assert_signed(GRUB, 1);
	write_program("/unsigned", UNSIGNED);
	assert_signed("/unsigned", 0);
	tree_file("/text", "MZ");
	assert_signed("/text", 0);
	put(head + 0x3c, 0xffffffff);
	tree_file_bytes("/far", head, sizeof(head), 0644);
	assert_signed("/far", 0);
	put(head + 0x3c, 510);
	tree_file_bytes("/end", head, sizeof(head), 0644);
	assert_signed("/end", 0);
	assert_signed("/absent", -1);
}

static void secure_boot(struct machine *machine)
{
	machine_init_uefi(machine);
	/* Not this machine: its processor and its variables are left alone. */
	machine->hardware.is_live = false;
	machine->hardware.has_secure_boot = true;
	machine->hardware.secure_boot = SECURE_BOOT_ON;
}

static void without_secure_boot_signatures_do_not_matter(void **state)
{
	_cleanup_machine_ struct machine machine;
	_cleanup_free_ char *sentence = NULL;

	(void)state;
	write_program(KERNEL, UNSIGNED);
	write_program(GRUB, UNSIGNED);
	machine_init_uefi(&machine);
	machine.hardware.is_live = false;
	sentence = check(&machine, BOOT_WILL);
}

static void secure_boot_refuses_an_unsigned_loader(void **state)
{
	_cleanup_machine_ struct machine machine;
	_cleanup_free_ char *sentence = NULL;

	(void)state;
	write_program(GRUB, UNSIGNED);
	secure_boot(&machine);
	sentence = check(&machine, BOOT_WILL_NOT);
	assert_string_equal(sentence,
			    "will not boot because Secure Boot is on and " GRUB
			    " has no signature: switch Secure Boot off in the firmware's setup, or "
			    "install a signed shim and GRUB in the image");
}

static void secure_boot_refuses_an_unsigned_kernel(void **state)
{
	_cleanup_machine_ struct machine machine;
	_cleanup_free_ char *sentence = NULL;

	(void)state;
	write_program(SHIM, SIGNED);
	write_program(KERNEL, UNSIGNED);
	secure_boot(&machine);
	sentence = check(&machine, BOOT_WILL_NOT);
	assert_contains(sentence, "Secure Boot is on and " KERNEL " has no signature: ");
}

static void a_signed_loader_without_shim_needs_a_known_key(void **state)
{
	_cleanup_machine_ struct machine machine;
	_cleanup_free_ char *sentence = NULL;

	(void)state;
	secure_boot(&machine);
	sentence = check(&machine, BOOT_WILL_BUT);
	assert_contains(sentence, GRUB " is not behind a shim");
}

static void a_shim_with_a_signed_kernel_starts(void **state)
{
	_cleanup_machine_ struct machine machine;
	_cleanup_free_ char *sentence = NULL;

	(void)state;
	write_program(SHIM, SIGNED);
	secure_boot(&machine);
	sentence = check(&machine, BOOT_WILL);
}

static void firmware_of_32_bits_starts_no_64_bit_loader(void **state)
{
	_cleanup_machine_ struct machine machine;
	_cleanup_free_ char *sentence = NULL;

	(void)state;
	machine_init_uefi(&machine);
	machine.hardware.is_live = false;
	machine.hardware.efi_bits = 32;
	sentence = check(&machine, BOOT_WILL_NOT);
	assert_contains(sentence,
			"the firmware starts 32-bit programs only, and " GRUB " is a 64-bit one");
}

static void full_firmware_variables_are_a_risk(void **state)
{
	_cleanup_machine_ struct machine machine;
	_cleanup_free_ char *sentence = NULL;

	(void)state;
	machine_init_uefi(&machine);
	machine.hardware.is_live = false;
	machine.hardware.efi_variable_space = 1000;
	sentence = check(&machine, BOOT_WILL_BUT);
	assert_contains(sentence, "only 1000 B are free for variables in the firmware");
}

static void another_processor_does_not_run_the_guest(void **state)
{
	_cleanup_machine_ struct machine machine;
	_cleanup_free_ char *sentence = NULL;

	(void)state;
	machine_init(&machine);
	free(machine.guest.architecture);
	machine.guest.architecture = string_copy("s390x");
	sentence = check(&machine, BOOT_WILL_NOT);
	assert_contains(sentence, "the guest is made for s390x processors, and this machine's is ");
}

static void large_sectors_and_bios_do_not_go_together(void **state)
{
	_cleanup_machine_ struct machine machine;
	_cleanup_free_ char *sentence = NULL;

	(void)state;
	machine_init(&machine);
	machine.guest.layout.sector_size = 4096;
	sentence = check(&machine, BOOT_WILL_BUT);
	assert_contains(sentence, "the disk has sectors of 4096 bytes");
}

#define with_tree(test) cmocka_unit_test_setup_teardown(test, setup, tree_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_tree(a_signature_is_seen),
		with_tree(without_secure_boot_signatures_do_not_matter),
		with_tree(secure_boot_refuses_an_unsigned_loader),
		with_tree(secure_boot_refuses_an_unsigned_kernel),
		with_tree(a_signed_loader_without_shim_needs_a_known_key),
		with_tree(a_shim_with_a_signed_kernel_starts),
		with_tree(firmware_of_32_bits_starts_no_64_bit_loader),
		with_tree(full_firmware_variables_are_a_risk),
		with_tree(another_processor_does_not_run_the_guest),
		with_tree(large_sectors_and_bios_do_not_go_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
