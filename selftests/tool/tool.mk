# SPDX-License-Identifier: GPL-2.0-only
# Tests of the command: on the local backend as it is built and with ASan and
# UBSan, then in a guest with the module. TOOL_KERNEL=none leaves that out.

TOOL_KERNEL ?= 6.12

.PHONY: check-tool
check-tool: $(COMMAND) $(B)/asan/shmchan $(COMMAND_STATIC)
	@rm -rf $(TEST_RESULTS)/tool
	@selftests/tool/run-all $(TEST_RESULTS)/tool $(TOOL_KERNEL) \
		$(B)/plain/shmchan $(B)/asan/shmchan
	@scripts/ktap-summary $(TEST_RESULTS)/tool

#: make check-tool   tests of the command, native and with the module in a VM
