// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * checksum_file: lists of checksums as `sha256sum` writes them, a line for each file: "HEX  name",
 * "HEX *name", and with --tag "SHA256 (name) = HEX". Other lines (comments, other algorithms, the
 * frame of a clear-text signature) are skipped.
 */
#pragma once

#include "base/error.h"
#include "restore/image_digest.h"

/*
 * The checksum in list of the file called name, without regard to directories. With name NULL, the
 * only one in it. list_name is for messages. Two lines that contradict each other are an error, as
 * is none.
 */
int checksum_file_find(const char *list, const char *list_name, const char *name,
		       uint8_t out[SHA256_LENGTH], struct error *err);
