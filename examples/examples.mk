# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# Every .c file here is one program.

EXAMPLE_SRCS := $(sort $(wildcard examples/*.c))
EXAMPLES := $(EXAMPLE_SRCS:%.c=$(B)/%)

.PHONY: examples
all: examples
examples: $(EXAMPLES)

$(B)/examples/%: examples/%.c $(LIB_STATIC)
	@mkdir -p $(@D)
	$(call say,LD,$@)$(call compile,plain) -MF $@.d -o $@ $< $(LIB_STATIC) \
		$(LDFLAGS)

-include $(EXAMPLES:%=%.d)

#: make examples     what examples/*.c says
