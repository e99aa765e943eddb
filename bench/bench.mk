# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# Measurements.  Where DPDK is installed, its ring is measured beside ours.

.PHONY: bench-quick bench-insn bench-load bench-memory \
	bench-memory-programs bench-access bench-access-programs \
	bench-doorbell bench-doorbell-programs

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

BENCH_COMMON := bench/raw.c bench/sleep.c bench/lane.c bench/channel.c \
		bench/peer_spsc.c $(BENCH_PEER)
BENCH_QUICK_SRCS := bench/quick.c bench/harness.c bench/report.c $(BENCH_COMMON)
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

$(BENCH_DIR)/load: $(BENCH_DIR)/load.o $(LIB_STATIC)
	$(call say,LD,$@)$(call link,plain) -o $@ $^

bench-load: $(BENCH_DIR)/load
	$(BENCH_DIR)/load -o $(BENCH_DIR)/load.csv $(BENCH_OPTS)

# These run in guests: scripts/bench-memory.
BENCH_MEMORY_COMMON := $(addprefix bench/memory/, \
	fragment.c peers.c shmchan.c state.c mapping.c util.c)
BENCH_MEMORY_NAMES := contig touch cycles
BENCH_MEMORY_PROGRAMS := $(addprefix $(BENCH_DIR)/memory/,$(BENCH_MEMORY_NAMES))

$(BENCH_MEMORY_PROGRAMS): $(BENCH_DIR)/memory/%: \
		$(BENCH_DIR)/memory/%.o $(call bench_objs,$(BENCH_MEMORY_COMMON))
	$(call say,LD,$@)$(call link,plain) -o $@ $^

bench-memory-programs: $(BENCH_MEMORY_PROGRAMS)

bench-memory:
	@scripts/deps build bench-memory
	@scripts/bench-memory $(BENCH_OPTS)

# The same: scripts/bench-access.
BENCH_ACCESS_COMMON := $(addprefix bench/access/,calls.c peer.c util.c)
BENCH_ACCESS_HOSTILE := $(addprefix bench/access/, \
	operations.c churn.c waits.c revoke.c)
BENCH_ACCESS_PROGRAMS := $(addprefix $(BENCH_DIR)/access/,names hostile)

$(BENCH_DIR)/access/hostile: $(call bench_objs,$(BENCH_ACCESS_HOSTILE))
$(BENCH_ACCESS_PROGRAMS): $(BENCH_DIR)/access/%: \
		$(BENCH_DIR)/access/%.o $(call bench_objs,$(BENCH_ACCESS_COMMON))
	$(call say,LD,$@)$(call link,plain) -o $@ $^

bench-access-programs: $(BENCH_ACCESS_PROGRAMS)

bench-access:
	@scripts/deps build bench-memory
	@scripts/bench-access $(BENCH_OPTS)

# The same: scripts/bench-doorbell.  The storm runs here, too.
BENCH_DOORBELL_SRCS := $(addprefix bench/doorbell/, \
	main.c stage.c roundtrip.c many.c calls.c storm.c parked.c) \
	$(addprefix bench/access/,calls.c peer.c util.c)

$(BENCH_DIR)/doorbell/doorbell: $(call bench_objs,$(BENCH_DOORBELL_SRCS)) \
		$(LIB_STATIC)
	$(call say,LD,$@)$(call link,plain) -o $@ $^

bench-doorbell-programs: $(BENCH_DIR)/doorbell/doorbell

bench-doorbell:
	@scripts/deps build bench-memory
	@scripts/bench-doorbell $(BENCH_OPTS)

-include $(patsubst %.o,%.d,$(call bench_objs,$(BENCH_QUICK_SRCS) bench/insn.c bench/load.c \
	$(BENCH_MEMORY_COMMON) $(BENCH_ACCESS_COMMON) $(BENCH_ACCESS_HOSTILE) \
	$(BENCH_DOORBELL_SRCS)) \
	$(BENCH_MEMORY_PROGRAMS:=.o) $(BENCH_ACCESS_PROGRAMS:=.o))

#: make bench-quick  a lane beside the hardware, DPDK and the kernel, in a minute
#: make bench-insn   instructions per record, counted by valgrind
#: make bench-load   latency and CPU against messages per second, and spinning
#: make bench-memory regions beside hugetlbfs and THP, in fragmented memory; in VMs
#: make bench-access 100,000 names, and what hostile members cost others; in VMs
#: make bench-doorbell
#:                   waiting and waking beside futex, eventfd, epoll; in VMs
#: variables: BENCH_OPTS (see bench/quick.c, bench/load.c, scripts/bench-memory --help,
#:            also bench-access, bench-doorbell)
