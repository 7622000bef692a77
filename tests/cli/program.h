// SPDX-License-Identifier: GPL-3.0-or-later
/* program: runs v2p as a user does, in a directory of its own, on small images and disks. */
#pragma once

#include "tests/test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/process.h"
#include "base/scope.h"
#include "base/text.h"

enum { MIB = 1 << 20 };

static char directory[] = "/tmp/v2p-test-XXXXXX";

static inline int enter_directory(void **state)
{
	(void)state;
	return mkdtemp(directory) && chdir(directory) == 0 ? 0 : -1;
}

static inline int remove_directory(void **state)
{
	const char *argv[] = {"rm", "-rf", directory, NULL};

	(void)state;
	return process_check(argv, NULL, NULL);
}

/* The program gets a clean environment, but for what the tests themselves were given. */
static inline void run(struct process_result *result, const char *const *argv)
{
	static const char *const kept[] = {"ASAN_OPTIONS", "V2P_DRIVERS_DB"};
	_cleanup_strings_ struct strings environment = {0};
	struct process process = {.argv = argv, .timeout_ms = 120000};

	for (size_t i = 0; i < array_length(kept); i++)
		if (getenv(kept[i]))
			strings_addf(&environment, "%s=%s", kept[i], getenv(kept[i]));
	process.environment = (const char *const *)environment.item;
	assert_int_equal(process_run(&process, result, NULL), 0);
}

#define v2p(result, ...) run(result, (const char *const[]){V2P_PROGRAM, __VA_ARGS__, NULL})

/* v2p may be one of the commands. */
static inline void shell(const char *command)
{
	const char *argv[] = {"sh", "-ec", command, NULL};
	_cleanup_process_result_ struct process_result result = {0};

	run(&result, argv);
	if (result.status != 0)
		fail_msg("%s: status %d: %s", command, result.status, text_string(&result.errors));
}

static inline bool has_program(const char *name)
{
	_cleanup_free_ char *command = string_format("command -v %s >/dev/null", name);

	return system(command) == 0;
}

static inline void expect(const struct process_result *result, int status, const char *message)
{
	if (result->status != status || !strstr(text_string(&result->errors), message))
		fail_msg("status %d (expected %d), stderr: %s", result->status, status,
			 text_string(&result->errors));
}

/* 64 MiB, MBR, one partition with what make says ("mke2fs -q -t ext4", "mkfs.vfat"). */
static inline void make_image(const char *name, const char *make)
{
	_cleanup_free_ char *command = string_format(
		"rm -f %1$s p; truncate -s 64M %1$s; echo 'start=2048,type=83' | sfdisk -q %1$s; "
		"truncate -s 63M p; %2$s p; dd if=p of=%1$s bs=1M seek=1 conv=notrunc,sparse "
		"status=none",
		name, make);

	shell(command);
}

static inline void make_disk(const char *name, unsigned int mib)
{
	_cleanup_free_ char *command = string_format(
		"rm -f %1$s; yes v2p | head -c %2$u > %1$s; cp %1$s %1$s.before", name, mib * MIB);

	shell(command);
}

static inline void expect_untouched(const char *name)
{
	_cleanup_free_ char *command = string_format("cmp %1$s %1$s.before", name);

	shell(command);
}
