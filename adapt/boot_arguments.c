// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/boot_arguments.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "adapt/kernel_words.h"
#include "base/scope.h"

enum { FILES_LIMIT = 256 }; /* a boot directory has one entry for each kernel */

/* Who starts the kernel in a file, and with what. Keywords are compared without case, as syslinux
 * does it. */
struct format {
	const char *const kernels[4]; /* keywords whose first argument is the kernel */
	const char *const options[3]; /* keywords whose arguments go to it; none: the kernel's do */
};

static const struct format grub_format = {{"linux", "linux16", "linuxefi"}, {NULL}};
static const struct format entry_format = {{"linux", "efi"}, {"options"}};
static const struct format syslinux_format = {{"kernel", "linux"}, {"append"}};
static const struct format bare_format = {{NULL}, {NULL}};

static const struct {
	const char *directory, *pattern;
	const struct format *format;
} places[] = {
	{"/boot/grub", "grub.cfg", &grub_format},
	{"/boot/grub2", "grub.cfg", &grub_format},
	{"/boot/loader/entries", "*.conf", &entry_format},
	{"/boot/efi/loader/entries", "*.conf", &entry_format},
	{"/efi/loader/entries", "*.conf", &entry_format},
	{"/boot/extlinux", "extlinux.conf", &syslinux_format},
	{"/boot/syslinux", "syslinux.cfg", &syslinux_format},
	{"/etc/kernel", "cmdline", &bare_format},
};

static bool has_keyword(const char *const *keywords, size_t count, const char *word)
{
	for (size_t i = 0; i < count && keywords[i]; i++)
		if (strcasecmp(keywords[i], word) == 0)
			return true;
	return false;
}

/* Does the path name this kernel: /vmlinuz-RELEASE, /MACHINE/RELEASE/linux, or its image? */
static bool names_kernel(const char *path, const struct guest_kernel *kernel)
{
	const char *found = strstr(path, kernel->release);
	const char *image = kernel->image ? strrchr(kernel->image, '/') : NULL;
	const char *name = strrchr(path, '/');

	if (found && found > path && strchr("-/", found[-1])) {
		const char *end = found + strlen(kernel->release);

		/* 6.1.0-37-amd64 is another kernel than 6.1.0. */
		if (*end == '\0' || *end == '/')
			return true;
	}
	return image && name && strcmp(image, name) == 0;
}

static bool is_for_other(const struct guest *guest, const char *path, const char *release)
{
	bool is_other = false;

	for (size_t i = 0; i < guest->kernel_count; i++) {
		if (!names_kernel(path, &guest->kernel[i]))
			continue;
		if (strcmp(guest->kernel[i].release, release) == 0)
			return false;
		is_other = true;
	}
	return is_other;
}

/* What is read of one file. */
struct reading {
	const struct guest *guest;
	const char *release, *file;
	const struct format *format;
	struct boot_arguments_line line;
	bool is_in_entry;  /* of this kernel */
	bool was_in_entry; /* and another one began behind it */
};

static void take_words(struct reading *reading, const struct strings *words, size_t from)
{
	for (size_t i = from; i < words->count; i++)
		strings_add(&reading->line.words, words->item[i]);
}

static void take_line(struct reading *reading, const struct strings *words)
{
	const struct format *format = reading->format;

	if (!format->kernels[0]) {
		take_words(reading, words, 0);
	} else if (has_keyword(format->kernels, array_length(format->kernels), words->item[0]) &&
		   words->count > 1) {
		reading->was_in_entry = reading->is_in_entry;
		reading->is_in_entry =
			!is_for_other(reading->guest, words->item[1], reading->release);
		if (!format->options[0] && reading->is_in_entry && !reading->was_in_entry)
			take_words(reading, words, 2);
	} else if (has_keyword(format->options, array_length(format->options), words->item[0]) &&
		   reading->is_in_entry) {
		take_words(reading, words, 1);
	}
}

static void read_text(struct reading *reading, const char *text)
{
	while (*text && !reading->was_in_entry) {
		const size_t length = strcspn(text, "\n");
		_cleanup_strings_ struct strings words = {0};

		kernel_line_split(text, length, &words);
		if (words.count && words.item[0][0] != '#')
			take_line(reading, &words);
		text += length + (text[length] == '\n');
	}
}

static void read_file(const struct guest *guest, const char *release, const char *file,
		      const struct format *format, struct boot_arguments *out)
{
	struct reading reading = {guest, release, file, format, {0}, false, false};
	_cleanup_text_ struct text content = {0};

	if (out->count >= FILES_LIMIT || guest_read(guest, file, &content, NULL) <= 0)
		return;
	read_text(&reading, text_string(&content));
	if (!reading.line.words.count)
		return;
	reading.line.file = string_copy(file);
	out->line = reallocarray(out->line, out->count + 1, sizeof(*out->line));
	if (!out->line)
		abort();
	out->line[out->count++] = reading.line;
}

int boot_arguments_read(const struct guest *guest, const char *release, struct boot_arguments *out,
			struct error *err)
{
	*out = (struct boot_arguments){0};
	for (size_t i = 0; i < array_length(places); i++) {
		_cleanup_strings_ struct strings files = {0};

		if (guest_glob(guest, places[i].directory, places[i].pattern, &files, err) < 0) {
			boot_arguments_release(out);
			return error_in(err, "look for boot entries");
		}
		for (size_t j = 0; j < files.count; j++)
			read_file(guest, release, files.item[j], places[i].format, out);
	}
	return 0;
}

void boot_arguments_release(struct boot_arguments *arguments)
{
	if (!arguments)
		return;
	for (size_t i = 0; i < arguments->count; i++) {
		free(arguments->line[i].file);
		strings_release(&arguments->line[i].words);
	}
	free(arguments->line);
	*arguments = (struct boot_arguments){0};
}
