// SPDX-License-Identifier: GPL-3.0-or-later
/* json: what json-c leaves to its callers. */
#pragma once

#include <json-c/json.h>

/* A string, or null for NULL; the caller owns it. */
static inline json_object *json_string_or_null(const char *string)
{
	return string ? json_object_new_string(string) : NULL;
}
