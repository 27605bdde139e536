/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef WCR_CLI_VERSION_H
#define WCR_CLI_VERSION_H

#define WCR_VERSION "0.1"

#endif
