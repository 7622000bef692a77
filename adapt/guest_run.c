// SPDX-License-Identifier: GPL-3.0-or-later
#include <unistd.h>

#include "adapt/guest.h"
#include "adapt/guest_sandbox.h"
#include "base/process.h"

static int run(const struct process *process, struct text *out, struct error *err)
{
	_cleanup_process_result_ struct process_result result = {0};

	if (process_run(process, &result, err) < 0)
		return -1;
	if (result.status != 0)
		return process_complain(process->argv, &result, err);
	if (out)
		text_add_bytes(out, text_string(&result.output), result.output.length);
	return 0;
}

int guest_run(struct guest *guest, enum guest_permission permission, const char *const *argv,
	      const char *input, int timeout_ms, struct text *out, struct error *err)
{
	_cleanup_sandbox_ struct sandbox sandbox = {0};
	const struct process process = {
		.argv = argv,
		.input = input,
		.timeout_ms = timeout_ms,
		.prepare = sandbox_enter,
		.context = &sandbox,
	};

	if (geteuid() != 0)
		return error_set(err, "run %s in the guest: only root can enter the guest",
				 argv[0]);
	if (sandbox_init(&sandbox, guest, permission, err) < 0 || run(&process, out, err) < 0)
		return error_in(err, "in the guest");
	return 0;
}
