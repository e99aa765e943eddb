# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# The shmchan command, in each variant, linked with the static library; and as
# one static program, for guests and containers that have nothing.

TOOL_SRCS := $(sort $(wildcard tools/*.c))
COMMAND := $(B)/plain/shmchan
COMMAND_STATIC := $(B)/plain/shmchan.static

.PHONY: command-static
command: $(COMMAND)
command-static: $(COMMAND_STATIC)

tool_objs = $(TOOL_SRCS:%.c=$(B)/$(1)/%.o)

define tool_rules
$(B)/$(1)/tools/%.o: tools/%.c
	@mkdir -p $$(@D)
	$$(call compile,$(1)) -c -o $$@ $$<

$(B)/$(1)/shmchan: $(call tool_objs,$(1)) $(B)/$(1)/libshmchan.a
	$$(call link,$(1)) -o $$@ $$^ -lm

-include $(patsubst %.o,%.d,$(call tool_objs,$(1)))
endef
$(foreach v,$(VARIANTS),$(eval $(call tool_rules,$(v))))

# Only what asks the name service has to be compiled otherwise.
$(B)/plain/tools/util.static.o: tools/util.c
	@mkdir -p $(@D)
	$(call compile,plain) -DSHMCHAN_TOOL_STATIC -c -o $@ $<

$(COMMAND_STATIC): $(filter-out %/util.o,$(call tool_objs,plain)) \
		$(B)/plain/tools/util.static.o $(B)/plain/libshmchan.a
	$(call link,plain) -static -o $@ $^ -lm

-include $(B)/plain/tools/util.static.d

include selftests/tool/tool.mk

#: make command-static  the command as one static program
