# SPDX-License-Identifier: GPL-2.0-only
# What is done by scripts.

.PHONY: check demo
check:
	@scripts/deps build check lint
	@scripts/check

demo:
	@scripts/deps build demo
	@scripts/demo

#: make check        all tests: native, model, and in VMs on 6.1 and 6.12
#: make demo         two processes, a kernel region, real data, in a VM
