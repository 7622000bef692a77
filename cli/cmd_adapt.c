// SPDX-License-Identifier: GPL-3.0-or-later
#include <unistd.h>

#include "base/file.h"
#include "base/scope.h"
#include "cli/adaptation.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/report_output.h"
#include "restore/target.h"

static int open_guest(const struct options *options, struct guest *guest, struct error *err)
{
	struct disk disk = {0};
	int r;

	if (options->root)
		return guest_open_root(options->root, guest, err);
	if (disk_describe(options->arguments.item[0], &disk, err) < 0)
		return -1;
	r = target_check(&disk, err);
	disk_release(&disk);
	if (r < 0)
		return -1;
	return guest_open_disk(options->arguments.item[0],
			       options->dry_run ? GUEST_READ_ONLY : GUEST_READ_WRITE, guest, err);
}

static void follow_disk(const char *path, struct hardware *hardware, struct report *report)
{
	_cleanup_error_ struct error err = {0};
	struct disk disk = {0};

	if (!hardware->is_live || !path)
		return;
	if (disk_describe(path, &disk, &err) < 0 || hardware_follow_disk(hardware, &disk, &err) < 0)
		report_warning(report, "%s: all storage controllers are taken as needed",
			       error_text(&err));
	disk_release(&disk);
}

static enum exit_status adapt(const struct adaptation_request *request, struct guest *guest,
			      struct hardware *hardware, struct report *report,
			      struct output *output, struct error *err)
{
	follow_disk(guest->disk, hardware, report);
	if (adaptation_run(guest, hardware, request, report, output, err) < 0)
		return report_count(report, "changes") ? EXIT_INCOMPLETE : EXIT_REFUSED;
	if (guest_close(guest, err) < 0)
		return EXIT_INCOMPLETE;
	if (report_has_failed_check(report)) {
		error_set(err, "the adaptation is incomplete: see what is marked FAILED above");
		return EXIT_INCOMPLETE;
	}
	return EXIT_DONE;
}

enum exit_status command_adapt(const struct options *options, struct output *output,
			       struct error *err)
{
	_cleanup_hardware_ struct hardware hardware = {0};
	const struct packs_options wanted = {options->driver_pack_key, options->ca_file};
	struct adaptation_request request = {.dry_run = options->dry_run};
	_cleanup_packs_ struct packs *packs = NULL;
	struct guest guest = {.root_fd = -1};
	struct report report;
	enum exit_status status;

	if ((options->arguments.count == 1) == (options->root != NULL) ||
	    options->arguments.count > 1) {
		error_set(err, "adapt wants one disk, or --root DIR");
		return EXIT_USAGE;
	}
	if (adaptation_initramfs(options->initramfs, &request.initramfs, err) < 0)
		return EXIT_USAGE;
	if (adaptation_packs(&options->driver_packs, &wanted, &packs, err) < 0 ||
	    adaptation_hardware(options, &hardware, err) < 0 ||
	    open_guest(options, &guest, err) < 0)
		return EXIT_REFUSED;
	request.packs = packs;
	report_init(&report);
	status = adapt(&request, &guest, &hardware, &report, output, err);
	guest_release(&guest);
	if (status != EXIT_DONE)
		report_fact_string(&report, "error", error_text(err));
	report_output(&report, options->dry_run ? REPORT_DIFFS : REPORT_BRIEF, options->report,
		      output);
	if (report_count(&report, "changes") == 0 && status == EXIT_DONE)
		output_say(output, "Nothing to change.");
	report_release(&report);
	return status;
}
