# SPDX-License-Identifier: GPL-2.0-or-later
analysis_SRCS := $(addprefix analysis/,cli.c compare.c compare_cli.c export.c gate.c gate_cli.c \
	gate_report.c policy.c result.c show.c show_cli.c show_text.c stats.c table.c utf8.c writer.c)

WCR_SRCS += $(analysis_SRCS)
WCR_LIBS += gsl jansson smartcols sqlite3 yaml-0.1
