# SPDX-License-Identifier: GPL-2.0-or-later
db_SRCS := db/campaign.c db/claim.c db/db.c db/experiment.c db/interval.c db/merge.c db/schema.c db/stmt.c db/trial.c
WCR_SRCS += $(db_SRCS)
WCR_LIBS += sqlite3 jansson libxxhash gsl

UNIT_TESTS += $(addprefix db/tests/,db_test disk_test experiment_test interval_test kill_test)
db_test_SRCS := db/tests/db_test.c $(db_SRCS)
disk_test_SRCS := db/tests/disk_test.c $(db_SRCS)
experiment_test_SRCS := db/tests/experiment_test.c $(db_SRCS)
interval_test_SRCS := db/tests/interval_test.c db/interval.c
kill_test_SRCS := db/tests/kill_test.c $(db_SRCS)
