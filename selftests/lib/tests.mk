# SPDX-License-Identifier: GPL-2.0-only
# Tests of the library: every .c file here is one program, built in each
# variant against that variant's static library.  Drop a file in and it runs.
# NAME_CFLAGS and NAME_LDFLAGS add to how NAME.c is compiled and linked.

LIBTEST_SRCS := $(sort $(wildcard selftests/lib/*.c))
LIBTEST_NAMES := $(LIBTEST_SRCS:selftests/lib/%.c=%)
# make check-native TESTS="bell_wait region_create" runs those only.
TESTS ?= $(LIBTEST_NAMES)
TEST_RESULTS := $(B)/results

# What is not there is skipped by the test that needs it, which says so.
HAVE_LIBURING := $(shell printf '\043include <liburing.h>\n' | \
		 $(CC) -E - >/dev/null 2>&1 && echo y)
# Its archive: a guest has the program and not its libraries.
uring_helpers_LDFLAGS := $(if $(HAVE_LIBURING),-l:liburing.a)

libtests = $(LIBTEST_NAMES:%=$(B)/$(1)/selftests/lib/%)

define libtest_rules
$(B)/$(1)/selftests/lib/%: selftests/lib/%.c $(B)/$(1)/libshmchan.a
	@mkdir -p $$(@D)
	$$(call say,TEST,$$@)$$(call compile,$(1)) -MF $$@.d -Iselftests/lib $$($$*_CFLAGS) -o $$@ $$< \
		$(B)/$(1)/libshmchan.a $(LDFLAGS) $$($$*_LDFLAGS)

.PHONY: tests-$(1) check-native-$(1)
tests-$(1): $(call libtests,$(1))
check-native-$(1): $(TESTS:%=$(B)/$(1)/selftests/lib/%)
	@SHMCHAN_BACKEND=local scripts/run-lib-tests \
		$(TEST_RESULTS)/native-$(1) $$^

-include $(patsubst %,%.d,$(call libtests,$(1)))
endef
$(foreach v,$(VARIANTS),$(eval $(call libtest_rules,$(v))))

# One variant after the other: the tests measure time.
check-native: $(foreach v,$(VARIANTS),$(TESTS:%=$(B)/$(v)/selftests/lib/%))
	@rm -rf $(VARIANTS:%=$(TEST_RESULTS)/native-%)
	@for v in $(VARIANTS); do \
		SHMCHAN_BACKEND=local scripts/run-lib-tests \
			$(TEST_RESULTS)/native-$$v \
			$(TESTS:%=$(B)/$$v/selftests/lib/%); \
	done
	@scripts/ktap-summary $(VARIANTS:%=$(TEST_RESULTS)/native-%)
