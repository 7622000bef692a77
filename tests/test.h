// SPDX-License-Identifier: GPL-3.0-or-later
/* cmocka with the headers it asks for. */
#pragma once

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> // IWYU pragma: export
