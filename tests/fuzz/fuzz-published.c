// SPDX-License-Identifier: GPL-3.0-or-later
/* The texts that are published beside an image: a list of checksums, minisign's signature and key.
 */
#include "base/scope.h"
#include "base/text.h"
#include "restore/checksum_file.h"
#include "restore/signature.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_text_ struct text text = {0};
	struct minisign_signature signature;
	struct minisign_key key = {0};
	uint8_t sum[SHA256_LENGTH];

	text_add_bytes(&text, data, size);
	checksum_file_find(text_string(&text), "list", "images/disk", sum, NULL);
	checksum_file_find(text_string(&text), "list", NULL, sum, NULL);
	minisign_parse_key(text_string(&text), &key, NULL);
	if (minisign_parse_signature(text_string(&text), &signature, NULL) == 0)
		minisign_comment_is_signed(key.key, &signature);
	return 0;
}
