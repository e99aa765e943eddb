# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# The examples, compiled as users would: warnings are errors here too.

EXAMPLES := $(patsubst examples/%.c,$(B)/plain/examples/%,\
	      $(sort $(wildcard examples/*.c)))

.PHONY: examples
all: examples
examples: $(EXAMPLES)

$(B)/plain/examples/%: examples/%.c $(LIB_STATIC)
	@mkdir -p $(@D)
	$(call compile,plain) -MF $@.d -o $@ $< $(LIB_STATIC) $(LDFLAGS)

-include $(EXAMPLES:%=%.d)

#: make examples     examples/*.c
