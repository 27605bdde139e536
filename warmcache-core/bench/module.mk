# SPDX-License-Identifier: GPL-2.0-or-later
BENCHES += warmcache-core/bench/cost
cost_SRCS = $(addprefix warmcache-core/bench/,cost.c measure.c report.c) analysis/table.c \
	$(addprefix testbed/,env.c jsonl.c qmp.c testbed.c testbed_config.c testbed_dir.c testbed_qemu.c)
