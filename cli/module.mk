# SPDX-License-Identifier: GPL-2.0-or-later
WCR_SRCS += cli/main.c cli/doctor.c
