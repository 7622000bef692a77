// SPDX-License-Identifier: GPL-3.0-or-later
/* version: the one place that knows which v2p this is. */
#pragma once

#define V2P_VERSION "0.1.0"
