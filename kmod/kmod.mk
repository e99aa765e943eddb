# SPDX-License-Identifier: GPL-2.0-only
# Building the module: make kmod [KDIR=build folder of a kernel]
#
# The sources are copied into a folder per kernel, so that several kernels can
# be built for side by side and nothing is left in the source tree.

B ?= build
KDIR ?= /lib/modules/$(shell uname -r)/build
KREL = $(shell sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' \
	$(KDIR)/include/generated/utsrelease.h 2>/dev/null)
# Test hooks make another module: it gets a folder of its own.
KOUT = $(B)/kmod/$(KREL)$(if $(filter 1,$(SHMCHAN_TEST_HOOKS)),-hooks)

.PHONY: kmod
kmod:
	@test -n "$(KREL)" || { \
		echo "no kernel headers at KDIR=$(KDIR): install" \
		     "linux-headers-\$$(uname -r), or name another folder" >&2; \
		exit 1; }
	@mkdir -p $(KOUT)/src
	@flock $(KOUT)/lock sh -ec ' \
		cp -pru Kbuild kmod include $(KOUT)/src/; \
		$(MAKE) -C $(KDIR) M=$(abspath $(KOUT))/src W=1 \
			SHMCHAN_TEST_HOOKS=$(SHMCHAN_TEST_HOOKS) modules; \
		cmp -s $(KOUT)/src/shmchan.ko $(KOUT)/shmchan.ko || { \
			cp $(KOUT)/src/shmchan.ko $(KOUT)/.shmchan.ko; \
			mv $(KOUT)/.shmchan.ko $(KOUT)/shmchan.ko; }'
	@echo "$(KOUT)/shmchan.ko"
