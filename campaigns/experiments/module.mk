# SPDX-License-Identifier: GPL-2.0-or-later
WCR_SRCS += $(addprefix campaigns/experiments/,bed.c experiment_cli.c file_read.c service.c)
