// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * restoration: a plan carried out: the image is written to every disk at once, then each disk is
 * grown and its system adapted. A disk that fails does not stop the others.
 */
#pragma once

#include "base/report.h"
#include "cli/command.h"
#include "cli/job.h"

/* The worst status of all disks; err names each disk that did not end well and what follows. */
enum exit_status restoration_run(struct job *job, struct source *source, struct plan *plan,
				 struct report *report, struct output *output, struct error *err);
