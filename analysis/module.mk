# SPDX-License-Identifier: GPL-2.0-or-later
analysis_SRCS := $(addprefix analysis/,cli.c compare.c compare_cli.c comparison.c experiments.c export.c gate.c gate_cli.c \
	gate_report.c gnuplot.c html.c plan_size_cli.c policy.c report.c report_cli.c report_data.c \
	report_figures.c report_provenance.c report_triage.c result.c show.c show_cli.c show_text.c stats.c \
	table.c utf8.c writer.c xml.c)

WCR_SRCS += $(analysis_SRCS)
WCR_LIBS += gsl jansson smartcols sqlite3

UNIT_TESTS += $(addprefix analysis/tests/,compare_test experiments_test export_test gate_test policy_test report_test \
	show_test stats_test)
# Recursive: db/module.mk comes later.
analysis_test_SRCS = analysis/tests/fixture.c $(analysis_SRCS) cli/options.c lib/yaml_file.c $(db_SRCS)
compare_test_SRCS = analysis/tests/compare_test.c $(analysis_test_SRCS)
experiments_test_SRCS = analysis/tests/experiments_test.c $(analysis_test_SRCS)
export_test_SRCS = analysis/tests/export_test.c $(analysis_test_SRCS)
gate_test_SRCS = analysis/tests/gate_test.c $(analysis_test_SRCS)
policy_test_SRCS := analysis/tests/policy_test.c analysis/policy.c lib/yaml_file.c
report_test_SRCS = analysis/tests/report_test.c analysis/tests/sample.c $(analysis_test_SRCS)
show_test_SRCS = analysis/tests/show_test.c $(analysis_test_SRCS)
stats_test_SRCS := analysis/tests/stats_test.c analysis/stats.c db/interval.c

E2E_TESTS += analysis/tests/report_e2e
report_e2e_SRCS = analysis/tests/report_e2e.c analysis/tests/sample.c $(db_SRCS)
