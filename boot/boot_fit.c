// SPDX-License-Identifier: GPL-3.0-or-later
#include "boot/boot_fit.h"

#include <string.h>
#include <sys/utsname.h>

#include "base/scope.h"
#include "boot/efi_entry.h"
#include "boot/esp.h"
#include "boot/pe_signature.h"

enum {
	BIOS_SECTOR = 512,
	/* An entry has about 200 bytes; firmware that is nearly full collects garbage for minutes,
	 * or refuses. */
	VARIABLE_SPACE = 4096,
};

struct fit {
	const struct adaptation *adaptation;
	const struct guest_kernel *kernel; /* or NULL */
	const struct esp *esp;             /* of a machine with UEFI; NULL: the guest has none */
	struct boot_answer *answer;
};

/* What an architecture's machines run besides their own programs. */
static const struct {
	const char *machine, *guest;
} also_runs[] = {
	{"x86_64", "i686"},
	{"x86_64", "i386"},
	{"aarch64", "arm"},
};

static bool runs(const char *machine, const char *guest)
{
	for (size_t i = 0; i < array_length(also_runs); i++)
		if (!strcmp(also_runs[i].machine, machine) && !strcmp(also_runs[i].guest, guest))
			return true;
	return strcmp(machine, guest) == 0;
}

/* Only this very machine says what its processor is. */
static int check_processor(const struct fit *fit, struct error *err)
{
	const char *guest = fit->adaptation->guest->architecture;
	struct utsname name;

	(void)err;
	if (!fit->adaptation->hardware->is_live || !guest || !*guest || uname(&name) < 0 ||
	    runs(name.machine, guest))
		return 0;
	boot_answer_add(fit->answer, BOOT_WILL_NOT, "use an image that was made for this processor",
			"the guest is made for %s processors, and this machine's is %s", guest,
			name.machine);
	return 0;
}

/* 1 signed; 0 not, which is a reason; -1 error. */
static int check_signature(const struct fit *fit, const char *path, const char *advice,
			   struct error *err)
{
	int is_signed = pe_is_signed(fit->adaptation->guest, path, err);

	if (is_signed == 0)
		boot_answer_add(fit->answer, BOOT_WILL_NOT, advice,
				"Secure Boot is on and %s has no signature", path);
	return is_signed;
}

static int check_loader(const struct fit *fit, struct error *err)
{
	static const char advice[] = "switch Secure Boot off in the firmware's setup, or install a "
				     "signed shim and GRUB in the image";
	int is_signed = check_signature(fit, fit->esp->loader, advice, err);

	if (is_signed > 0 && !fit->esp->has_shim)
		boot_answer_add(
			fit->answer, BOOT_WILL_BUT,
			"enrol its key in the firmware, or install the distribution's shim in "
			"the image",
			"Secure Boot is on and %s is not behind a shim: it starts where the "
			"firmware knows who signed it",
			fit->esp->loader);
	return is_signed < 0 ? -1 : 0;
}

static int check_secure_boot(const struct fit *fit, struct error *err)
{
	if (!fit->adaptation->hardware->is_uefi || !fit->adaptation->hardware->has_secure_boot)
		return 0;
	if (fit->esp && fit->esp->loader && check_loader(fit, err) < 0)
		return -1;
	if (!fit->kernel || !fit->kernel->image)
		return 0;
	return check_signature(
		       fit, fit->kernel->image,
		       "switch Secure Boot off in the firmware's setup, or install a signed "
		       "kernel in the image",
		       err) < 0
		       ? -1
		       : 0;
}

/* Tablets and early Macs have a 64-bit processor behind firmware of 32 bits. */
static int check_width(const struct fit *fit, struct error *err)
{
	const unsigned int bits = fit->adaptation->hardware->efi_bits;
	bool is_narrow;

	(void)err;
	if (!fit->esp || !fit->esp->loader || !bits)
		return 0;
	is_narrow = strcmp(fit->esp->suffix, "ia32") == 0;
	if (is_narrow == (bits == 32))
		return 0;
	boot_answer_add(
		fit->answer, BOOT_WILL_NOT,
		"install GRUB for that firmware in the image (i386-efi for 32-bit firmware)",
		"the firmware starts %u-bit programs only, and %s is a %s-bit one", bits,
		fit->esp->loader, is_narrow ? "32" : "64");
	return 0;
}

static int check_space(const struct fit *fit, struct error *err)
{
	const uint64_t space = fit->adaptation->hardware->efi_variable_space;
	_cleanup_free_ char *size = size_format(space);

	(void)err;
	if (space && space < VARIABLE_SPACE)
		boot_answer_add(
			fit->answer, BOOT_WILL_BUT,
			"delete old boot entries in the firmware's setup",
			"only %s are free for variables in the firmware, too few for a boot "
			"entry to be certain",
			size);
	return 0;
}

/* The removable path is what is left when the firmware's menu cannot be written. */
static int check_variables(const struct fit *fit, struct error *err)
{
	const struct hardware *hardware = fit->adaptation->hardware;
	_cleanup_efi_entries_ struct efi_entries entries = {0};
	_cleanup_error_ struct error reason = {0};

	(void)err;
	if (!hardware->is_uefi || !hardware->is_live || !fit->esp)
		return 0;
	if (efi_entries_read(&efi_store_firmware, &entries, &reason) < 0)
		boot_answer_add(
			fit->answer, BOOT_WILL_BUT,
			"choose the disk in the firmware's boot menu if it is not tried",
			"the firmware gets no entry for this disk (%s), which then starts by "
			"\\EFI\\BOOT where the firmware tries that",
			error_text(&reason));
	return 0;
}

static int check_sectors(const struct fit *fit, struct error *err)
{
	const uint32_t sector = fit->adaptation->guest->layout.sector_size;

	(void)err;
	if (!fit->adaptation->hardware->is_uefi && sector > BIOS_SECTOR)
		boot_answer_add(fit->answer, BOOT_WILL_BUT,
				"set the firmware to UEFI if the image can start that way",
				"the disk has sectors of %u bytes, from which most machines cannot "
				"start by BIOS",
				sector);
	return 0;
}

static int (*const checks[])(const struct fit *fit, struct error *err) = {
	check_processor, check_secure_boot, check_width,
	check_space,     check_variables,   check_sectors,
};

int boot_fit_check(const struct adaptation *adaptation, const struct guest_kernel *kernel,
		   struct boot_answer *answer, struct error *err)
{
	_cleanup_esp_ struct esp esp = {0};
	struct fit fit = {.adaptation = adaptation, .kernel = kernel, .answer = answer};

	/* That it cannot be found is loader_plan()'s to say. */
	if (adaptation->hardware->is_uefi && esp_find(adaptation->guest, &esp, NULL) > 0)
		fit.esp = &esp;
	for (size_t i = 0; i < array_length(checks); i++)
		if (checks[i](&fit, err) < 0)
			return error_in(err, "compare the boot loader with the firmware");
	return 0;
}
