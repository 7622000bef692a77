// SPDX-License-Identifier: GPL-3.0-or-later
/* window_stream: windows of a source that is read once, in order; see window.h. */
#pragma once

#include "restore/window.h"

/* As windows_next(), with the lock held. */
int window_stream_next(struct windows *windows, uint8_t *data, struct window *out,
		       struct error *err);
/* Up to WINDOW bytes; *got is less at the end only. */
int window_stream_fill(struct windows *windows, uint8_t *data, size_t *got, struct error *err);
