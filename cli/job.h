// SPDX-License-Identifier: GPL-3.0-or-later
/* job: what a restore was asked to do: the command line, over the profile that matches. */
#pragma once

#include "cli/image.h"
#include "cli/options.h"
#include "cli/profile.h"
#include "restore/plan.h"
#include "restore/write.h"

struct job {
	struct profile profile;
	enum initramfs_modules initramfs;
	struct packs *packs; /* driver packs, or NULL */
	struct hardware hardware;
	struct image_request image; /* borrows from options and profile */
	struct strings disks;       /* paths or rules, at least one */
	const char *report;
	enum plan_blocks blocks;
	enum write_method method;
	enum write_proof proof;
	bool adapt;
};

/* options must outlive the job. */
int job_make(const struct options *options, struct job *job, struct error *err);
void job_release(struct job *job);
#define _cleanup_job_ __attribute__((cleanup(job_release)))
