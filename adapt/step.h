// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * step: one kind of adaptation. `plan` reads the guest and lists changes; carrying them out is the
 * same for every step: step_apply() does just what was listed. A second plan after an apply lists
 * nothing.
 */
#pragma once

#include <stdatomic.h>

#include "adapt/drivers.h"
#include "adapt/guest.h"
#include "adapt/hardware.h"
#include "base/error.h"
#include "base/report.h"

enum change_kind {
	CHANGE_WRITE,  /* path gets content */
	CHANGE_REMOVE, /* path goes away (its original is kept) */
	CHANGE_RUN,    /* argv runs in the guest */
	CHANGE_CALL,   /* call() does it: what is neither a file nor a program of the guest */
};

struct adaptation;

struct change {
	enum change_kind kind;
	const char *step;    /* name of the step; borrowed */
	char *path;          /* in the guest; for RUN and CALL a short name of what is acted on */
	char *why;           /* for the user: one clause */
	char *content;       /* WRITE: the new content */
	char *diff;          /* WRITE, REMOVE: unified, made by the changes_ functions */
	struct strings argv; /* RUN */
	char *input;         /* RUN: stdin, or NULL */
	enum guest_permission permission; /* RUN */
	/* CALL: 0 done; 1 not done, reported as a failed check, and the rest goes on; -1 error. */
	int (*call)(struct adaptation *adaptation, const struct change *change, struct error *err);
};

struct changes {
	struct change *item;
	size_t count;
};

enum network_mode {
	NETWORK_MAP,  /* keep the guest's settings, on the NICs that exist (default) */
	NETWORK_DHCP, /* every wired NIC by DHCP */
	NETWORK_KEEP, /* leave the network alone */
};

/* What all steps see. hardware, db and report are borrowed. */
struct adaptation {
	struct guest *guest;
	const struct hardware *hardware;
	const struct drivers_db *db;
	struct report *report;
	enum network_mode network;
	char *hostname; /* new one, or NULL: kept */
	/* Called before each change is carried out; NULL: never. */
	void (*progress)(void *context, const struct change *change);
	void *progress_context;
	const atomic_bool *stop; /* raised: no further change is begun; or NULL */
};

struct step_ops {
	const char *name; /* "fstab": in reports, and in [Adapt] of a profile */
	/* Adds changes; warnings and facts go to adaptation->report. Reads only. */
	int (*plan)(struct adaptation *adaptation, struct changes *changes, struct error *err);
	/* After all changes are applied: proves the result with report_check(). Optional. */
	int (*verify)(struct adaptation *adaptation, struct error *err);
};

/*
 * For plan functions. changes_write() compares with what an earlier change of this list or the
 * guest holds, and adds nothing when the content is the same; a second write to one path replaces
 * the first one's content and adds its reason. Files are text: one that holds a NUL is an error.
 */
int changes_write(struct changes *changes, const struct guest *guest, const char *step,
		  const char *path, const char *content, const char *why, struct error *err);
int changes_remove(struct changes *changes, const struct guest *guest, const char *step,
		   const char *path, const char *why, struct error *err);
/* What path will hold after the changes so far: as guest_read(). Steps read through this. */
int changes_read(const struct changes *changes, const struct guest *guest, const char *path,
		 struct text *out, struct error *err);
/* The caller may set input, permission of the change returned; borrowed until the next addition. */
struct change *changes_run(struct changes *changes, const char *step, const char *what,
			   const char *why, const char *const *argv);
struct change *
changes_call(struct changes *changes, const char *step, const char *what, const char *why,
	     int (*call)(struct adaptation *, const struct change *, struct error *));
void changes_release(struct changes *changes);
#define _cleanup_changes_ __attribute__((cleanup(changes_release)))

/*
 * Carries out all changes in order; each success goes to the report. Ends at the first error, or
 * before the next change when adaptation->stop is raised, which is an error too.
 */
int changes_apply(const struct changes *changes, struct adaptation *adaptation, struct error *err);

extern const struct step_ops step_fstab, step_modules, step_initramfs, step_network, step_quirks,
	step_xorg, step_tools, step_identity;
