// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/job.h"

#include "base/scope.h"
#include "cli/adaptation.h"

static int read_profile(const struct options *options, struct job *job, struct error *err)
{
	const struct profile *profile = &job->profile;

	if (options->profiles.count == 0)
		return 0;
	if (profile_choose(&options->profiles, &job->hardware, &job->profile, err) < 0)
		return -1;
	if (adaptation_check_skip(profile->skip, err) < 0)
		return error_in(err, "profile %s", profile->origin);
	job->adapt = job->adapt && profile->adapt;
	job->force_boot_verdict |= string_equal(profile->force_boot_verdict, "yes");
	if (string_equal(profile->resume, "yes"))
		job->method = WRITE_DIFFERENCES;
	if (string_equal(profile->verify, "no"))
		job->proof = WRITE_TRUST_DISK;
	if (string_equal(profile->used_blocks, "no") && !options->used_blocks)
		job->blocks = PLAN_ALL_BLOCKS;
	return 0;
}

static const char *first_given(const char *option, const char *otherwise)
{
	return option ? option : otherwise;
}

static void take_image(const struct options *options, struct job *job)
{
	const struct profile *profile = &job->profile;
	struct image_request *image = &job->image;

	*image = image_request_from(options);
	image->name = options->arguments.count > 0 ? options->arguments.item[0] : profile->image;
	image->format = first_given(image->format, profile->format);
	image->ca_file = first_given(image->ca_file, profile->ca_file);
	image->checksum = first_given(image->checksum, profile->checksum);
	image->signature = first_given(image->signature, profile->signature);
	image->key = first_given(image->key, profile->key);
	if (job->method == WRITE_DIFFERENCES && !options->dry_run)
		image->moment = INTEGRITY_COMPARED;
	job->report = first_given(options->report, profile->report);
}

static void take_disks(const struct options *options, struct job *job)
{
	for (size_t i = 1; i < options->arguments.count; i++)
		strings_add(&job->disks, options->arguments.item[i]);
	if (job->disks.count == 0 && job->profile.rule)
		strings_add(&job->disks, job->profile.rule);
}

/* Before anything is written: a pack that cannot be had later is no pack. */
static int take_packs(const struct options *options, struct job *job, struct error *err)
{
	const struct packs_options wanted = {
		first_given(options->driver_pack_key, job->profile.driver_pack_key),
		job->image.ca_file,
	};
	_cleanup_strings_ struct strings places = {0};

	for (size_t i = 0; i < options->driver_packs.count; i++)
		strings_add(&places, options->driver_packs.item[i]);
	if (!places.count && job->profile.driver_pack)
		strings_split(&places, job->profile.driver_pack, " ");
	if (!job->adapt)
		return 0;
	return adaptation_packs(&places, &wanted, &job->packs, err);
}

int job_make(const struct options *options, enum job_kind kind, struct job *job, struct error *err)
{
	job->kind = kind;
	job->adapt = !options->no_adapt;
	job->force_boot_verdict = options->force_boot_verdict;
	job->report = options->report;
	job->blocks = options->no_used_blocks ? PLAN_ALL_BLOCKS : PLAN_USED_BLOCKS;
	job->method = options->resume ? WRITE_DIFFERENCES : WRITE_ALL;
	job->proof = options->no_verify ? WRITE_TRUST_DISK : WRITE_READ_BACK;
	if (options->used_blocks && options->no_used_blocks)
		return error_set(err, "--used-blocks and --no-used-blocks contradict each other");
	if ((job->adapt || options->profiles.count > 0) &&
	    adaptation_hardware(options, &job->hardware, err) < 0)
		return -1;
	if (read_profile(options, job, err) < 0 ||
	    adaptation_initramfs(first_given(options->initramfs, job->profile.initramfs),
				 &job->initramfs, err) < 0)
		return -1;
	take_image(options, job);
	take_disks(options, job);
	if (take_packs(options, job, err) < 0)
		return -1;
	if (!job->image.name)
		return error_set(err, "profile %s names no image: give it path = in [Image]",
				 job->profile.origin);
	if (job->disks.count == 0 && kind == JOB_RESTORE)
		return error_set(err, "profile %s names no disk: give it rule = in [Disk]",
				 job->profile.origin);
	return 0;
}

struct adaptation_request job_adaptation(const struct job *job)
{
	return (struct adaptation_request){
		.network = job->profile.network,
		.initramfs = job->initramfs,
		.hostname = job->profile.hostname,
		.skip = job->profile.skip,
		.packs = job->packs,
	};
}

void job_release(struct job *job)
{
	profile_release(&job->profile);
	hardware_release(&job->hardware);
	strings_release(&job->disks);
	packs_close(job->packs);
}
