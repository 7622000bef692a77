// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * modalias: does a pattern, as modules carry them, match a device's modalias?
 *
 * As libkmod matches them, and in time bounded by the product of the lengths: patterns of a driver
 * pack are hostile, and fnmatch(3) can take forever.
 */
#pragma once

#include <stdbool.h>

/* "*", "?" and "[0-9]"; "-" and "_" are one character. */
bool modalias_matches(const char *pattern, const char *modalias);
