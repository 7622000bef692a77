// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * prediction: what the adaptation will do with the system inside an image on one disk of a machine,
 * and whether the machine will start it. Made before anything is written: the system is read inside
 * the image, every step plans, nothing is carried out. When it is made nothing of the image is
 * mounted or active any more.
 */
#pragma once

#include <json-c/json.h>

#include "adapt/boot_answer.h"
#include "adapt/drivers.h"
#include "adapt/hardware.h"
#include "adapt/hazards.h"
#include "adapt/step.h"
#include "base/error.h"
#include "base/report.h"
#include "cli/adaptation.h"
#include "restore/plan.h"
#include "restore/source.h"

/* What one of the guest's kernels makes of the machine. */
struct prediction_kernel {
	char *release;
	char *why_not;    /* its modules were not looked at; NULL: they were */
	char *supplied;   /* release that starts when driver packs brought what it lacks, or NULL */
	bool is_replaced; /* that is another kernel, of which nothing more is known */
	struct driver_matches matches;
	struct hazards hazards;
	bool can_start;
};

struct prediction {
	json_object *guest;                 /* as guest_json() has it; NULL: it could not be read */
	char *default_kernel, *default_how; /* release, where that stands; NULL: none */
	struct prediction_kernel *kernel;   /* the default one first */
	size_t kernel_count;
	struct changes changes;
	struct report report;            /* facts and warnings of the steps */
	const struct hardware *hardware; /* borrowed: NICs and devices belong to it */
	struct boot_answer answer;
};

struct prediction_request {
	struct source *source;
	struct hardware *hardware;        /* marks on devices are set for the target */
	const struct plan_target *target; /* that will be written; NULL: not known */
	const struct adaptation_request *adaptation;
};

/*
 * That there is no system that can be read is no error but an answer (BOOT_UNKNOWN, with the
 * reason): a stream, an encrypted root, two systems in one image. An error is one of this program's
 * own tables, or of reading the image. The source must be open and is only read; hardware outlives
 * the prediction, which is released after an error, too.
 */
int prediction_make(const struct prediction_request *request, struct prediction *out,
		    struct error *err);
/* For people, at most 80 columns wide, without the answer. */
void prediction_render(const struct prediction *prediction, struct text *out);
/*
 * { "guest": as `v2p inspect`, "default-kernel": { "release", "how" },
 *   "kernels": [{ "release", "can-start", "why-not", "with-driver-packs",
 *                 "devices", "root-modules" and "hazards": as `v2p drivers` }],
 *   "nics": [{ "guest", "mac", "name", "device" }], "boot-loader", "firmware-entry",
 *   "driver-packs", "changes": [{ "step", "file", "why", "diff" }], "warnings": […],
 *   "answer": as boot_answer_json() }
 */
json_object *prediction_json(const struct prediction *prediction);
void prediction_release(struct prediction *prediction);
