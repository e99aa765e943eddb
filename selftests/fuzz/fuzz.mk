# SPDX-License-Identifier: GPL-2.0-only
# Hostile peers, guided by coverage: the library compiled by clang with libFuzzer,
# ASan, UBSan and hooks before its loads.  docs/testing.md tells what is run.

FUZZ_CC ?= clang
FUZZ_DIR := $(B)/fuzz
FUZZ_FLAGS := -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=all \
	      -fsanitize=fuzzer-no-link,address,undefined \
	      -fno-sanitize-coverage=trace-cmp -DSHMCHAN_FUZZ -DLANE_JOIN_TRIES=20
# What the targets share: no targets themselves.
FUZZ_SHARED := selftests/fuzz/fuzz.c selftests/fuzz/kept.c
FUZZ_TARGETS := $(patsubst selftests/fuzz/%.c,%,\
		$(filter-out $(FUZZ_SHARED),$(sort $(wildcard selftests/fuzz/*.c))))
FUZZ_PROGRAMS := $(FUZZ_TARGETS:%=$(FUZZ_DIR)/%)
FUZZ_OBJS := $(LIB_SRCS:%.c=$(FUZZ_DIR)/%.o) $(FUZZ_SHARED:%.c=$(FUZZ_DIR)/%.o)
# Executions of each target.
FUZZ_RUNS ?= 100000

fuzz_compile = $(FUZZ_CC) $(BASE_CPPFLAGS) -Iselftests/fuzz -Ilib $(DEPFLAGS) \
	       $(BASE_CFLAGS) -Wall -Wextra -Werror \
	       -Wno-gnu-variable-sized-type-not-at-end $(FUZZ_FLAGS)

$(FUZZ_DIR)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,FUZZ,$@)$(fuzz_compile) -c -o $@ $<

$(FUZZ_PROGRAMS): $(FUZZ_DIR)/%: $(FUZZ_DIR)/selftests/fuzz/%.o $(FUZZ_OBJS)
	$(call say,LINK,$@)$(FUZZ_CC) -pthread -fsanitize=fuzzer,address,undefined \
		-Wl,--wrap=clock_gettime -o $@ $^

-include $(FUZZ_OBJS:.o=.d) $(FUZZ_TARGETS:%=$(FUZZ_DIR)/selftests/fuzz/%.d)

.PHONY: fuzz check-fuzz torture-fuzz
.SECONDARY: $(FUZZ_TARGETS:%=$(FUZZ_DIR)/selftests/fuzz/%.o)
fuzz: $(FUZZ_PROGRAMS)

#: make check-fuzz   hostile peers: FUZZ_RUNS (100000) executions of each target
check-fuzz: fuzz
	@B=$(B) scripts/check-fuzz $(FUZZ_RUNS) $(FUZZ_PROGRAMS)

#: make torture-fuzz 10^7 of each: hours
torture-fuzz: fuzz
	@B=$(B) scripts/check-fuzz 10000000 $(FUZZ_PROGRAMS)
