// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/proposal.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/fold.h"
#include "base/json.h"
#include "base/scope.h"

enum { PLAN_JSON_VERSION = 1 };

/* A disk image is started by whatever machine it is given to, unless that machine was named. */
static enum plan_firmware firmware_of(const struct options *options, const struct job *job,
				      const struct plan *plan)
{
	if (options->pci_dump ||
	    (plan->target_count && plan->target[0].disk.is_file && !options->hardware))
		return PLAN_FIRMWARE_UNKNOWN;
	return job->hardware.is_uefi ? PLAN_FIRMWARE_UEFI : PLAN_FIRMWARE_BIOS;
}

/* Systems on several disks are told apart by nothing: the same UUIDs, the same volume groups. */
static int check_several(const struct plan *plan, struct error *err)
{
	for (size_t i = 0; i < plan->layout.count && plan->target_count > 1; i++)
		if (string_equal(plan->layout.partition[i].filesystem, "LVM2_member"))
			return error_set(err,
					 "the image holds LVM, and volume groups of the same name "
					 "on several disks cannot be adapted in one machine: "
					 "restore with --no-adapt, then start each machine from "
					 "the medium and use v2p adapt there");
	return 0;
}

static int check_adaptation(const struct plan *plan, struct error *err)
{
	if (geteuid() != 0)
		return error_set(err,
				 "adapting the restored system takes root; --no-adapt writes the "
				 "image only");
	if (check_several(plan, err) < 0)
		return -1;
	return plan_check_root(plan, err);
}

/* `lspci -x` does not tell by what firmware a machine starts: by the one that the image wants. */
static void assume_firmware(const struct options *options, struct job *job,
			    const struct plan *plan, struct report *report)
{
	bool has_esp = false;

	if (!options->pci_dump)
		return;
	for (size_t i = 0; i < plan->layout.count; i++)
		has_esp |= plan->layout.partition[i].is_esp;
	job->hardware.is_uefi = has_esp;
	report_warning(report,
		       "%s does not tell the firmware of that machine: it is taken for %s, as the "
		       "image needs it",
		       options->pci_dump, has_esp ? "UEFI" : "BIOS");
}

static int predict(const struct options *options, struct job *job, struct proposal *proposal,
		   size_t index, struct error *err)
{
	const struct adaptation_request adaptation = {
		.network = job->profile.network,
		.hostname = job->profile.hostname,
		.skip = job->profile.skip,
	};
	const struct prediction_request request = {
		.source = proposal->source,
		.hardware = &job->hardware,
		.disk = proposal->plan.target_count ? &proposal->plan.target[index].disk : NULL,
		.adaptation = &adaptation,
	};
	struct prediction *prediction = &proposal->prediction[index];
	_cleanup_error_ struct error firmware = {0};

	proposal->prediction_count = index + 1;
	if (prediction_make(&request, prediction, err) < 0)
		return -1;
	return 0;
}
