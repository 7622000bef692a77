// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * interrupt: Ctrl-C, kill and a closed terminal become a request to stop, which is obeyed where
 * stopping leaves things whole. Programs of the guest run in process groups of their own and are
 * not hit.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

/* From here on the signals only raise the flag. */
void interrupt_catch(void);
/* The flag; never lowered. */
const atomic_bool *interrupt_flag(void);
bool is_interrupted(void);
