# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# Measurements.  Where DPDK is installed, its ring is measured beside ours.

.PHONY: bench-quick bench-insn

BENCH_DIR := $(B)/bench
BENCH_DPDK := $(shell pkg-config --exists libdpdk 2>/dev/null && echo yes)
ifeq ($(BENCH_DPDK),yes)
BENCH_PEER := bench/peer_rte.c
BENCH_DPDK_CFLAGS := $(patsubst -I%,-isystem %, \
	$(shell pkg-config --cflags libdpdk))
BENCH_DPDK_LIBS := -lrte_ring -lrte_eal
else
BENCH_PEER := bench/no_rte.c
endif

BENCH_COMMON := bench/raw.c bench/sleep.c bench/lane.c $(BENCH_PEER)
BENCH_QUICK_SRCS := bench/quick.c bench/harness.c bench/report.c \
		    bench/channel.c $(BENCH_COMMON)
BENCH_INSN_SRCS := bench/insn.c $(BENCH_COMMON)
bench_objs = $(patsubst bench/%.c,$(BENCH_DIR)/%.o,$(1))

# After CFLAGS: the same for us and for the peers.
BENCH_CFLAGS ?= -O3
BENCH_OPTS ?=

$(BENCH_DIR)/peer_rte.o: private BENCH_CFLAGS += $(BENCH_DPDK_CFLAGS)

$(BENCH_DIR)/%.o: bench/%.c
	@mkdir -p $(@D)
	$(call say,CC,$@)$(call compile,plain) $(BENCH_CFLAGS) -c -o $@ $<

$(BENCH_DIR)/quick: $(call bench_objs,$(BENCH_QUICK_SRCS)) $(LIB_STATIC)
	$(call say,LD,$@)$(call link,plain) -o $@ $^ $(BENCH_DPDK_LIBS)

$(BENCH_DIR)/insn: $(call bench_objs,$(BENCH_INSN_SRCS)) $(LIB_STATIC)
	$(call say,LD,$@)$(call link,plain) -o $@ $^ $(BENCH_DPDK_LIBS)

bench-quick: $(BENCH_DIR)/quick $(BENCH_DIR)/insn
	$(BENCH_DIR)/quick -o $(BENCH_DIR)/quick.csv $(BENCH_OPTS)
	bench/insn.sh $(BENCH_DIR)/insn

bench-insn: $(BENCH_DIR)/insn
	bench/insn.sh $(BENCH_DIR)/insn

-include $(patsubst %.o,%.d,$(call bench_objs,$(BENCH_QUICK_SRCS) bench/insn.c))

#: make bench-quick  a lane beside the hardware, DPDK and the kernel, in a minute
#: make bench-insn   instructions per record, counted by valgrind
#: variables: BENCH_OPTS (see bench/quick.c)
