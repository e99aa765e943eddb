# SPDX-License-Identifier: GPL-2.0-only
# What is done by scripts.

.PHONY: check demo programs
# What the steps of check run beside each other, built before.
programs: all $(VARIANTS:%=tests-%) model fuzz examples crash-programs

check:
	@scripts/deps build check lint
	@scripts/check

demo:
	@scripts/deps build demo
	@scripts/demo

.PHONY: check-arm64
check-arm64:
	@B=$(B) TESTS="$(TESTS)" scripts/check-arm64

.PHONY: check-containers
check-containers:
	@scripts/deps containers
	@scripts/test-containers 6.12

#: make check        all tests: native, model, and in VMs on 6.1 and 6.12
#: make check-arm64  library tests cross compiled, in user-mode emulation
#: make check-containers  with runc, crun, docker and podman, in a VM
#: make demo         two processes, a kernel region, real data, in a VM
