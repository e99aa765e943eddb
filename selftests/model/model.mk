# SPDX-License-Identifier: GPL-2.0-only
# The model checker: the library's own headers and lane code, compiled with the
# explorer's atomics and a tiny geometry.  docs/model.md tells what it checks.

MODEL_DIR := $(B)/plain/model
MODEL := $(MODEL_DIR)/shmchan-model
MODEL_SRCS := $(sort $(wildcard selftests/model/*.c))
MODEL_OBJS := $(MODEL_SRCS:selftests/model/%.c=$(MODEL_DIR)/%.o)
MODEL_CPPFLAGS := -DSHMCHAN_EXPLORER -DSHMCHAN_LANE_STEPS=4 \
		  -DSHMCHAN_LANE_LINE=8 -DSHMCHAN_LANE_MIN_CAPACITY=128 \
		  -DSHMCHAN_LANE_AT_ONCE=8
# Its own flags: coroutines and sanitizers do not go together.
MODEL_CC = $(CC) $(MODEL_CPPFLAGS) -D_GNU_SOURCE -std=gnu11 -O2 -g
MODEL_PATHS := -Iselftests/model -Iinclude -Iinclude/uapi -Ilib -I.
# Litmus tests, models, and mutants: each site of the library weakened in turn.
MODEL_RUN ?= litmus protocols models mutants

.PHONY: model check-model
model: $(MODEL)

$(MODEL_DIR)/%.o: selftests/model/%.c
	@mkdir -p $(@D)
	$(MODEL_CC) $(MODEL_PATHS) $(WARNINGS) -MMD -MP -c -o $@ $<

$(MODEL): $(MODEL_OBJS)
	$(CC) -o $@ $^

-include $(MODEL_OBJS:.o=.d)

#: make check-model  litmus tables, models of the kernel's side, bell and lane, seeded bugs (MODEL_DEEP=1)
check-model: $(MODEL)
	@$(MODEL) $(MODEL_RUN); status=$$?; \
	selftests/model/seeds $(MODEL_DIR) $(MODEL_CC) -Iselftests/model \
		-Iinclude/uapi && exit $$status
