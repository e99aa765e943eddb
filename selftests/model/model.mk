# SPDX-License-Identifier: GPL-2.0-only
# The model checker: the library's own headers and lane code, compiled with the
# explorer's atomics and a tiny geometry.

MODEL := $(B)/plain/model/shmchan-model
MODEL_SRCS := $(sort $(wildcard selftests/model/*.c))
MODEL_CPPFLAGS := -DSHMCHAN_EXPLORER -DSHMCHAN_LANE_STEPS=8 \
		  -DSHMCHAN_LANE_LINE=8 -DSHMCHAN_LANE_MIN_CAPACITY=128 \
		  -Iselftests/model -Ilib -I.
# Litmus tests and models; MODEL_RUN="mutants" weakens each site in turn.
MODEL_RUN ?= litmus models

.PHONY: model check-model
model: $(MODEL)

$(MODEL): $(MODEL_SRCS) $(wildcard selftests/model/*.h include/shmchan/*.h \
					  lib/lane*.[ch] lib/internal.h)
	@mkdir -p $(@D)
	$(CC) $(BASE_CPPFLAGS) $(MODEL_CPPFLAGS) -std=gnu11 -O2 -g -Wall -Wextra \
		-o $@ $(MODEL_SRCS)

check-model: $(MODEL)
	$(MODEL) $(MODEL_RUN)

#: make check-model  litmus tables, and models of bell and lane (MODEL_DEEP=1)
