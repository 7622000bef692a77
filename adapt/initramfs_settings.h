// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * initramfs_settings: reading and marking the configuration files of initramfs tools. They are
 * shell; what is read of them is plain assignments, one a line, which is how they are written.
 */
#pragma once

#include "adapt/step.h"
#include "base/text.h"

/* An assignment in one of the guest's files. */
struct setting {
	char *file, *name;
	struct strings words; /* of the value: quotes and parentheses taken off */
};

struct settings {
	struct setting *item;
	size_t count;
};

/*
 * Appends the assignments (NAME=…, NAME+=…, a list in parentheses over several lines included) to
 * any of the names, which end in NULL, in order. What cannot be read as text has none.
 */
void settings_parse(const char *file, const char *content, const char *const *names,
		    struct settings *out);
/*
 * settings_parse() of every file, as the changes so far leave it; directories (ending in "/") stand
 * for what is in them with that suffix, sorted. Files named zz-v2p… are passed over.
 */
int settings_read(const struct guest *guest, const struct changes *changes,
		  const char *const *files, const char *suffix, const char *const *names,
		  struct settings *out, struct error *err);
void settings_release(struct settings *settings);
#define _cleanup_settings_ __attribute__((cleanup(settings_release)))

/* "NAME=WORD in FILE": heap. */
char *setting_text(const struct setting *setting, const char *word);

/* "crc32c_intel" of "kernel/arch/x86/crypto/crc32c-intel.ko.xz": heap. */
char *module_of_file(const char *file);
/* The one of list that is this module ("virtio-blk" is "virtio_blk"), or NULL. */
const char *find_module(const struct strings *list, const char *name);

#define BLOCK_BEGIN "# BEGIN v2p"
#define BLOCK_END "# END v2p\n"
/*
 * The file with v2p's marked block replaced, or added at its end; heap. title: what follows
 * "# BEGIN v2p: ", without a newline; lines end in newlines.
 */
char *settings_with_block(const char *content, const char *title, const char *lines);
