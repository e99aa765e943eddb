# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# The examples, compiled as users would: warnings are errors here too.  What
# needs a library that is not here is not built: make examples says so.

have_header = $(shell printf '\043include <$(1)>\n' | $(CC) -E - >/dev/null 2>&1 && echo y)

loop_libevent_LIBS := -levent_core
loop_uring_LIBS := -luring
EXAMPLES_MISSING := $(if $(call have_header,event2/event.h),,loop_libevent:libevent-dev) \
	$(if $(call have_header,liburing.h),,loop_uring:liburing-dev)

EXAMPLE_NAMES := $(filter-out $(foreach m,$(EXAMPLES_MISSING),$(firstword $(subst :, ,$(m)))),\
	$(patsubst examples/%.c,%,$(sort $(wildcard examples/*.c))))
EXAMPLES := $(EXAMPLE_NAMES:%=$(B)/plain/examples/%)

.PHONY: examples check-examples
all: examples
examples: $(EXAMPLES)
	@for m in $(EXAMPLES_MISSING); do \
		echo "examples: $${m%%:*} is left out: no $${m#*:} here"; \
	done

$(B)/plain/examples/%: examples/%.c $(LIB_STATIC)
	@mkdir -p $(@D)
	$(call compile,plain) -MF $@.d -o $@ $< $(LIB_STATIC) $(LDFLAGS) $($*_LIBS)

-include $(EXAMPLES:%=%.d)

# In event loops, on the local backend; run-lib-tests-vm does it with the module.
check-examples: examples
	@mkdir -p $(B)/results/examples
	@SHMCHAN_BACKEND=local selftests/examples $(B)/plain/examples 2>&1 | \
		tee $(B)/results/examples/loops.ktap
	@scripts/ktap-summary $(B)/results/examples

#: make examples     examples/*.c
#: make check-examples  runs those of event loops
