# SPDX-License-Identifier: GPL-2.0-only
# Crash points: each .c file here that is not the driver's (crash*.c) is one
# program of scenarios.  It is the optimised build whose instructions count, so
# there is one variant.  Drop a file in and it runs.

CRASH_DIR := $(B)/plain/selftests/crash
CRASH_DRIVER := $(patsubst %.c,$(B)/plain/%.o,$(wildcard selftests/crash/crash*.c))
CRASH_NAMES := $(filter-out crash%,$(patsubst selftests/crash/%.c,%, \
	       $(sort $(wildcard selftests/crash/*.c))))
CRASH_PROGRAMS := $(CRASH_NAMES:%=$(CRASH_DIR)/%)
CRASH_TESTS ?= $(CRASH_NAMES)

# harness.h has a list of tests, which these are not.
crash_compile = $(call compile,plain) -Iselftests/crash -Iselftests/lib -Ilib \
		-Wno-unused-variable

$(CRASH_DIR)/%.o: selftests/crash/%.c
	@mkdir -p $(@D)
	$(call say,CC,$@)$(crash_compile) -c -o $@ $<

# Bound at once: a call has the same instructions the first time and later.
$(CRASH_PROGRAMS): %: %.o $(CRASH_DRIVER) $(B)/plain/libshmchan.a
	$(call say,LD,$@)$(call link,plain) -Wl,-z,now -o $@ $^

.PHONY: crash-programs check-crash
crash-programs: $(CRASH_PROGRAMS)

check-crash: $(CRASH_TESTS:%=$(CRASH_DIR)/%)
	@rm -rf $(TEST_RESULTS)/crash
	@printf '%s\n' $^ | SHMCHAN_BACKEND=local xargs -P $$(nproc) -n 1 \
		scripts/run-lib-tests $(TEST_RESULTS)/crash
	@scripts/crash-summary $(TEST_RESULTS)/crash/*.ktap
	@scripts/ktap-summary $(TEST_RESULTS)/crash

-include $(CRASH_DRIVER:.o=.d) $(CRASH_PROGRAMS:=.d)

#: make check-crash  kill after each instruction of each operation, natively
#:                   (scripts/run-crash-vm KERNEL: with the module)
