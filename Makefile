# SPDX-License-Identifier: GPL-2.0-or-later
#
# Everything is built from here into build/. Each folder's module.mk appends to the
# variables below and says what it contributes:
#   WCR_SRCS, WCR_LIBS (pkg-config names), WCR_LDLIBS      the wcr program
#   AGENT_SRCS, AGENT_LIBS, AGENT_LDLIBS                   wcr-agent, for domain 0
#   DOM0_PROGS        name: name_SRCS, name_LIBS, name_LDLIBS; further programs of domain 0
#   GUEST_PROGS       name: name_SRCS; static programs of the guest's initrd
#   UNIT_TESTS        path/to/foo_test: foo_test_SRCS, foo_test_CFLAGS, foo_test_LDLIBS; or a script
#   FUZZERS           path/to/foo_fuzz: foo_fuzz_FUZZ_SRCS (LLVMFuzzerTestOneInput, no main)
#   E2E_TESTS         path/to/bar: a program of bar_SRCS or, without it, a script; exit 77: skip
#   E2E_ALONE_TESTS   as E2E_TESTS, but with every processor for itself
#   DEBIAN_TESTS      those of E2E_TESTS that also run with one of Debian's kernels in the guest
#   RUNTIME_TESTS     as E2E_TESTS, but only for make check-runtime
#   BENCHES           path/to/baz: a program of baz_SRCS or, without it, a script
# Includes are relative to this folder.

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

# A pipe's reader or a test inherits no job server it does not know.
B := build
CC ?= gcc
ifeq ($(origin CC),default)
CC := gcc
endif
PKG_CONFIG ?= pkg-config

CFLAGS ?= -O2 -g
# Text for people may be cut short: messages have a fixed size.
WARNINGS := -Wall -Wextra -Werror
ifeq ($(findstring clang,$(CC)),)
WARNINGS += -Wno-format-truncation
endif
# Empty, so that a file may define it as well.
BASE_CFLAGS := -std=gnu17 -D_GNU_SOURCE= -I. $(WARNINGS) -fno-strict-aliasing -MMD -MP
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer

MODULES := $(sort $(wildcard */module.mk */*/module.mk))
include $(MODULES)

COMMON_SRCS := lib/err.c lib/share.c

pkg_cflags = $(if $(strip $(1)),$(shell $(PKG_CONFIG) --cflags $(sort $(1))))
pkg_libs = $(if $(strip $(1)),$(shell $(PKG_CONFIG) --libs $(sort $(1))))

# Evaluated once, when the first object needs them.
ALL_LIBS = $(sort $(WCR_LIBS) $(AGENT_LIBS) $(foreach p,$(DOM0_PROGS),$($(p)_LIBS)))
ALL_CFLAGS = $(eval ALL_CFLAGS := $(call pkg_cflags,$(ALL_LIBS)))$(ALL_CFLAGS)
ALL_LDLIBS = $(eval ALL_LDLIBS := $(call pkg_libs,$(ALL_LIBS)) $(WCR_LDLIBS) $(AGENT_LDLIBS))$(ALL_LDLIBS)

objs = $(patsubst %.c,$(B)/$(1)/%.o,$(2) $(COMMON_SRCS))

.PHONY: all help wcr agent guest tests testbed testbed-stock testbed-debian campaign check \
	check-unit check-e2e check-debian check-runtime check-slurm check-kills check-source bench experiments fuzz \
	clean packages test-packages docs patches-refresh

all: wcr agent guest ## build wcr, the agent of domain 0 and the guest's programs

help: ## list the targets
	@echo 'Targets:'
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 16
	@echo
	@echo 'WCR_CACHE=DIR  where built kernels and images are kept (default ~/.cache/wcr)'

# --- objects ---------------------------------------------------------------------

# Compiler and flags, so that a change rebuilds.
FLAGS_NOW := $(CC) $(shell $(CC) -dumpversion 2>&1) $(CFLAGS) $(BASE_CFLAGS)
$(shell mkdir -p $(B); echo '$(FLAGS_NOW)' | cmp -s - $(B)/flags || echo '$(FLAGS_NOW)' >$(B)/flags)

$(B)/obj/%.o: %.c $(B)/flags | packages
	@mkdir -p $(@D)
	$(CC) $(BASE_CFLAGS) $(CFLAGS) $(ALL_CFLAGS) -c -o $@ $<

$(B)/static/%.o: %.c $(B)/flags | packages
	@mkdir -p $(@D)
	$(CC) $(BASE_CFLAGS) -O2 -g -c -o $@ $<

$(B)/asan/%.o: %.c $(B)/flags | packages
	@mkdir -p $(@D)
	$(CC) $(BASE_CFLAGS) -O1 -g $(SANITIZE) $(ALL_CFLAGS) -c -o $@ $<

# Files that are embedded, which the compiler's dependencies do not tell.
$(B)/obj/db/schema.o $(B)/asan/db/schema.o: $(wildcard db/schema/*.sql)
$(B)/obj/analysis/report.o $(B)/asan/analysis/report.o: analysis/report.css

# --- programs --------------------------------------------------------------------

wcr: $(B)/wcr ## the wcr command
agent: $(B)/wcr-agent $(addprefix $(B)/dom0/,$(DOM0_PROGS)) ## the programs of domain 0
guest: $(addprefix $(B)/guest/,$(GUEST_PROGS)) ## the static programs of the guest

$(B)/wcr: $(call objs,obj,$(WCR_SRCS))
	$(CC) $(CFLAGS) -Wl,--as-needed -o $@ $(sort $^) $(call pkg_libs,$(WCR_LIBS)) $(WCR_LDLIBS)

$(B)/wcr-agent: $(call objs,obj,$(AGENT_SRCS))
	$(CC) $(CFLAGS) -Wl,--as-needed -o $@ $(sort $^) $(call pkg_libs,$(AGENT_LIBS)) $(AGENT_LDLIBS)

define dom0_program
$(B)/dom0/$(1): $(call objs,obj,$($(1)_SRCS))
	@mkdir -p $$(@D)
	$$(CC) $$(CFLAGS) -Wl,--as-needed -o $$@ $$(sort $$^) $$(call pkg_libs,$$($(1)_LIBS)) $$($(1)_LDLIBS)
endef
$(foreach p,$(DOM0_PROGS),$(eval $(call dom0_program,$(p))))

define guest_program
$(B)/guest/$(1): $(patsubst %.c,$(B)/static/%.o,$($(1)_SRCS))
	@mkdir -p $$(@D)
	$$(CC) -static -o $$@ $$(sort $$^) $$($(1)_LDLIBS)
endef
$(foreach p,$(GUEST_PROGS),$(eval $(call guest_program,$(p))))

# --- tests -----------------------------------------------------------------------

TEST_LDLIBS = -Wl,--as-needed $($(1)_LDLIBS) -lcmocka $(ALL_LDLIBS)

# One that needs flags of its own is compiled apart from the others.
define unit_test
$(B)/tests/$(1): $(if $($(notdir $(1))_CFLAGS),,$(call objs,asan,$($(notdir $(1))_SRCS)))
	@mkdir -p $$(@D)
	$(if $($(notdir $(1))_CFLAGS),$$(CC) $$(BASE_CFLAGS) -O1 -g $$(SANITIZE) $($(notdir $(1))_CFLAGS) \
		$$(ALL_CFLAGS) -MF $$@.d -o $$@ $($(notdir $(1))_SRCS) $(COMMON_SRCS),\
		$$(CC) $$(SANITIZE) -o $$@ $$(sort $$^)) $$(call TEST_LDLIBS,$(notdir $(1)))
$(if $($(notdir $(1))_CFLAGS),$(B)/tests/$(1): $($(notdir $(1))_SRCS) $(COMMON_SRCS) $(B)/flags | packages)
endef
compiled = $(foreach t,$(1),$(if $($(notdir $(t))_SRCS),$(t)))
$(foreach t,$(call compiled,$(UNIT_TESTS)),$(eval $(call unit_test,$(t))))

ALL_E2E_TESTS := $(E2E_TESTS) $(E2E_ALONE_TESTS) $(RUNTIME_TESTS)

# End-to-end tests and benchmarks: optimised, no sanitizer.
define host_program
$(B)/tests/$(1): $(call objs,obj,$($(notdir $(1))_SRCS))
	@mkdir -p $$(@D)
	$$(CC) $$(CFLAGS) -o $$@ $$(sort $$^) $$(call TEST_LDLIBS,$(notdir $(1)))
endef
$(foreach t,$(call compiled,$(ALL_E2E_TESTS) $(BENCHES)),$(eval $(call host_program,$(t))))
runnable = $(foreach t,$(1),$(if $($(notdir $(t))_SRCS),$(B)/tests/$(t),$(t)))

UNIT_BINS := $(call runnable,$(UNIT_TESTS))
E2E_BINS := $(call runnable,$(E2E_TESTS)) -- $(call runnable,$(E2E_ALONE_TESTS))

TWICE := $(strip $(foreach t,$(sort $(notdir $(UNIT_TESTS) $(ALL_E2E_TESTS) $(BENCHES))),\
	$(if $(word 2,$(filter $(t),$(notdir $(UNIT_TESTS) $(ALL_E2E_TESTS) $(BENCHES)))),$(t))))
$(if $(TWICE),$(error two tests have the same file name, and so the same variables: $(TWICE)))

tests: $(filter $(B)/%,$(call runnable,$(UNIT_TESTS) $(ALL_E2E_TESTS) $(BENCHES))) ## build every test and benchmark

check: all check-source tests testbed test-packages ## all tests, also end to end on the testbed
	testbed/build/run-tests.sh $(UNIT_BINS) $(E2E_BINS)

check-unit: check-source $(UNIT_BINS) ## the unit tests, under ASan and UBSan
	testbed/build/run-tests.sh $(UNIT_BINS)

check-e2e: wcr agent tests testbed test-packages ## the tests on the testbed alone
	testbed/build/run-tests.sh $(E2E_BINS)

check-debian: wcr testbed-debian $(call runnable,$(DEBIAN_TESTS)) ## faults into a guest with a kernel as Debian ships it
	WCR_TESTBED=$(B)/debian/testbed.env testbed/build/run-tests.sh $(call runnable,$(DEBIAN_TESTS))

check-runtime: testbed $(call runnable,$(RUNTIME_TESTS)) ## run-time faults do what they say, by the kernel's own checks
	testbed/build/run-tests.sh $(call runnable,$(RUNTIME_TESTS))

check-slurm: wcr ## a campaign as an array job of a real Slurm, which is installed and runs for this alone
	testbed/build/host-packages.sh slurm.txt
	testbed/build/run-tests.sh campaigns/tests/slurm_e2e.sh

check-kills: testbed $(call runnable,campaigns/tests/chaos_e2e) ## a hundred kills, of any part, in one campaign
	WCR_CHAOS_KILLS=100 testbed/build/run-tests.sh $(call runnable,campaigns/tests/chaos_e2e)

check-source: | packages ## licences, leftovers, the core without libc, upstream's style
	testbed/build/check-source.sh '$(CC)'
	testbed/build/check-style.sh

bench: all $(filter $(B)/%,$(call runnable,$(BENCHES))) testbed testbed-stock ## what the mechanism costs a guest
	$(if $(BENCHES),for b in $(call runnable,$(BENCHES)); do echo "== $$b"; "$$b"; done,@echo no benchmarks)

EXPERIMENTS := docs/results/experiments

experiments: wcr testbed ## how fast a guest is after a reboot: the published experiments, and a page of them
	@mkdir -p $(EXPERIMENTS)
	$(B)/wcr experiment --db $(EXPERIMENTS)/experiments.db
	$(B)/wcr report --experiments $(EXPERIMENTS)/experiments.db -o $(EXPERIMENTS)/report.html

# --- fuzzers ---------------------------------------------------------------------

# In `make check` they run on a fixed number of inputs, with a main of their own.
CLANG ?= clang
FUZZ_SECONDS ?= 60

define fuzzer
$(B)/fuzz/$(1): $($(notdir $(1))_FUZZ_SRCS) $(B)/flags
	@mkdir -p $$(@D)
	$$(CLANG) $$(BASE_CFLAGS) -Wno-unknown-warning-option -O1 -g -fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=undefined $($(notdir $(1))_CFLAGS) -MF $$@.d -o $$@ \
		$($(notdir $(1))_FUZZ_SRCS) $($(notdir $(1))_LDLIBS)
endef
$(foreach f,$(FUZZERS),$(eval $(call fuzzer,$(f))))

fuzz: $(addprefix $(B)/fuzz/,$(FUZZERS)) ## run each fuzzer for FUZZ_SECONDS, with clang; corpora in build/fuzz
	@for f in $^; do \
		mkdir -p "$$f.corpus"; echo "== $$f"; \
		"$$f" -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 \
			-artifact_prefix="$$f.failed-" "$$f.corpus"; \
	done

# --- testbed ---------------------------------------------------------------------

docs: ## write docs/hypercall.md from the hypercall's header
	warmcache-core/tools/abi-doc warmcache-core/include/wcr_abi.h >$(B)/hypercall.md
	cp $(B)/hypercall.md docs/hypercall.md

patches-refresh: | packages ## write the patches of Xen and Linux afresh, against the pinned sources
	testbed/build/patches-refresh.sh

packages: ## install the Debian packages that a build needs (as root), or tell which
	@testbed/build/host-packages.sh

test-packages: | packages
	-@testbed/build/host-packages.sh test.txt

testbed: agent guest ## build Xen, Linux and the images, or take them from the cache
	testbed/build/testbed.sh $(B)

testbed-stock: agent guest ## the same without the mechanism, to compare with
	WCR_STOCK=1 testbed/build/testbed.sh $(B) $(B)/stock/testbed.env

testbed-debian: agent guest ## the same with one of Debian's kernels in the guest: 310 MB to fetch, 620 to keep
	WCR_GUEST=debian testbed/build/testbed.sh $(B) $(B)/debian/testbed.env

campaign: wcr testbed ## run the default campaign and print its comparison
	@mkdir -p results
	$(B)/wcr run campaigns/specs/quick.yaml --db results/quick.db

clean: ## remove what was built here, not the cache
	rm -rf $(B)

-include $(shell find $(B) -name '*.d' 2>/dev/null)
