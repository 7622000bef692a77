// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * boot_answer: will this guest start on that machine? A value: a verdict with the reasons for it
 * and what to do about each. Made from what is known before anything is written: the drivers of the
 * kernel that starts by default, the hazards of the machine, how boot loader and firmware fit, and
 * what the steps of the adaptation said while they planned. Whoever finds a reason adds it; the
 * worst one is the verdict.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "adapt/drivers.h"
#include "adapt/guest.h"
#include "adapt/hazards.h"

enum boot_verdict {
	BOOT_WILL,
	BOOT_WILL_BUT, /* it starts, and something of it will not work, or may keep it from that */
	BOOT_WILL_NOT,
	BOOT_UNKNOWN, /* nothing could be looked at */
};

struct boot_reason {
	enum boot_verdict verdict; /* that this reason alone leads to */
	char *what;                /* a clause: "kernel 6.1.0-9 has no driver for …" */
	char *advice;              /* what to do about it, or NULL */
};

struct boot_answer {
	enum boot_verdict verdict;
	struct boot_reason *reason; /* in the order in which they were found */
	size_t count;
};

/* The same words a second time are not added. advice: or NULL. */
void boot_answer_add(struct boot_answer *answer, enum boot_verdict verdict, const char *advice,
		     const char *what, ...) __attribute__((format(printf, 4, 5)));

/*
 * The kernel that starts by default (NULL: there is none), what it makes of each device, and what
 * hazards_find() found for it. The rules are tables in boot_answer.c.
 */
struct boot_kernel {
	const struct drivers_db *db;
	const struct guest_kernel *kernel;
	const struct driver_matches *matches;
	const struct hazards *hazards;
	const char *better; /* release of another kernel that would start, or NULL */
};
void boot_answer_kernel(struct boot_answer *answer, const struct boot_kernel *facts);
/* None of a kernel's hazards is fatal. */
bool boot_answer_can_start(const struct hazards *hazards);

/* "will boot", "will boot, but …", "will not boot because …: …", "it is not known whether it will
 * boot: …". One line, heap, the caller frees. */
char *boot_answer_sentence(const struct boot_answer *answer);
/* "will-boot", "will-boot-but", "will-not-boot", "unknown". */
const char *boot_verdict_name(enum boot_verdict verdict);
/* { "verdict", "sentence", "reasons": [{ "verdict", "what", "advice" }] } */
json_object *boot_answer_json(const struct boot_answer *answer);
void boot_answer_release(struct boot_answer *answer);
#define _cleanup_boot_answer_ __attribute__((cleanup(boot_answer_release)))
