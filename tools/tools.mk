# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# The shmchan command, in each variant, linked with the static library; as one
# static program, for guests and containers that have nothing; and what the
# demo and the tests in containers run.

TOOL_SRCS := $(sort $(wildcard tools/*.c))
CONTAINER_SRCS := $(sort $(wildcard scripts/containers.d/*.c))
DEMO_SRCS := $(sort $(wildcard scripts/demo.d/*.c))
COMMAND := $(B)/plain/shmchan
COMMAND_STATIC := $(B)/plain/shmchan.static

.PHONY: command-static demo-programs container-programs
command: $(COMMAND)
command-static: $(COMMAND_STATIC)
demo-programs: $(DEMO_SRCS:scripts/demo.d/%.c=$(B)/plain/demo/%)
container-programs: $(CONTAINER_SRCS:scripts/containers.d/%.c=$(B)/plain/containers/%)

tool_objs = $(TOOL_SRCS:%.c=$(B)/$(1)/%.o)

define tool_rules
$(B)/$(1)/tools/%.o: tools/%.c
	@mkdir -p $$(@D)
	$$(call say,CC,$$@)$$(call compile,$(1)) -c -o $$@ $$<

$(B)/$(1)/shmchan: $(call tool_objs,$(1)) $(B)/$(1)/libshmchan.a
	$$(call say,LD,$$@)$$(call link,$(1)) -o $$@ $$^

-include $(patsubst %.o,%.d,$(call tool_objs,$(1)))
endef
$(foreach v,$(VARIANTS),$(eval $(call tool_rules,$(v))))

# Only what asks the name service has to be compiled otherwise.
$(B)/plain/tools/util.static.o: tools/util.c
	@mkdir -p $(@D)
	$(call say,CC,$@)$(call compile,plain) -DSHMCHAN_TOOL_STATIC -c -o $@ $<

$(COMMAND_STATIC): $(filter-out %/util.o,$(call tool_objs,plain)) \
		$(B)/plain/tools/util.static.o $(B)/plain/libshmchan.a
	$(call say,LD,$@)$(call link,plain) -static -o $@ $^

$(B)/plain/demo/%: scripts/demo.d/%.c $(B)/plain/libshmchan.a
	@mkdir -p $(@D)
	$(call say,LD,$@)$(call compile,plain) -MF $@.d -static -o $@ $^

$(B)/plain/containers/%: scripts/containers.d/%.c $(B)/plain/libshmchan.a
	@mkdir -p $(@D)
	$(call say,LD,$@)$(call compile,plain) -MF $@.d -static -o $@ $^

-include $(B)/plain/tools/util.static.d $(wildcard $(B)/plain/demo/*.d) \
	$(wildcard $(B)/plain/containers/*.d)

include selftests/tool/tool.mk

#: make command-static  the command as one static program
