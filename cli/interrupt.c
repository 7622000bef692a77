// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/interrupt.h"

#include <signal.h>
#include <stddef.h>

/* Set by the signal handler, read by the copy engine: the one thing a handler may touch. */
static atomic_bool interrupted;

static void on_signal(int number)
{
	(void)number;
	atomic_store(&interrupted, true);
}

void interrupt_catch(void)
{
	const struct sigaction action = {.sa_handler = on_signal};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	/* Whoever read our output may go; a disk in the middle of a restore may not be left. */
	sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
}

const atomic_bool *interrupt_flag(void)
{
	return &interrupted;
}

bool is_interrupted(void)
{
	return atomic_load(&interrupted);
}
