// SPDX-License-Identifier: GPL-3.0-or-later
/* job: what a restore was asked to do: the command line, over the profile that matches. */
#pragma once

#include "cli/adaptation.h"
#include "cli/image.h"
#include "cli/options.h"
#include "cli/profile.h"
#include "restore/plan.h"
#include "restore/write.h"

/* A plan may be of the image alone. */
enum job_kind { JOB_PLAN, JOB_RESTORE };

struct job {
	enum job_kind kind;
	struct profile profile;
	enum initramfs_modules initramfs;
	struct packs *packs; /* driver packs, or NULL */
	struct hardware hardware;
	struct image_request image; /* borrows from options and profile */
	struct strings disks;       /* paths or rules; at least one to restore to */
	const char *report;
	enum plan_blocks blocks;
	enum write_method method;
	enum write_proof proof;
	bool adapt;
	bool force_boot_verdict;
};

/* options must outlive the job. */
int job_make(const struct options *options, enum job_kind kind, struct job *job, struct error *err);
/* What the steps are asked for. Borrows from the job. */
struct adaptation_request job_adaptation(const struct job *job);
void job_release(struct job *job);
#define _cleanup_job_ __attribute__((cleanup(job_release)))
