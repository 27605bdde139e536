# SPDX-License-Identifier: MIT
# The core, for whoever builds it: hypervisor, tests, fuzzers.
core-objs := cache.o cache_block.o cache_io.o cache_keep.o
