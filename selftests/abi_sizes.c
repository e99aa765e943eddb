// SPDX-License-Identifier: GPL-2.0-only
/*
 * The size that begins every structure, and where the structure lies: too
 * short, longer than the kernel's, not readable, not writable.
 */

#include "../kselftest_harness.h"
#include "abi_calls.h"
#include "test_kmsg.h"

FIXTURE(abi) {
	struct abi abi;
	struct abi_snapshot before;
	struct abi_snapshot after;
	union abi_arg arg;
	unsigned char *guarded;	/* two pages, and nothing behind them */
	int kmsg;
};

FIXTURE_SETUP(abi)
{
	self->kmsg = kmsg_open();
	ASSERT_EQ(0, abi_prepare(&self->abi));
	self->guarded = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->guarded);
	ASSERT_EQ(0, munmap(self->guarded + 2 * PAGE, PAGE));
}

FIXTURE_TEARDOWN(abi)
{
	char text[512];

	if (self->kmsg >= 0) {
		EXPECT_EQ(0, kmsg_noise(self->kmsg, text, sizeof(text)))
			TH_LOG("the kernel said: %s", text);
	}
}

/* A call that must fail with @err and change nothing. */
#define refused(err, c, at) do {					\
	int _fd = abi_file(&self->abi, c);				\
	int _ret;							\
									\
	ASSERT_LE(0, _fd);						\
	abi_snapshot(&self->abi, &self->before, true);			\
	_ret = call(_fd, (c)->cmd, at);					\
	abi_snapshot(&self->abi, &self->after, true);			\
	EXPECT_EQ(-(err), _ret)						\
		TH_LOG("%s", (c)->name);				\
	EXPECT_EQ(0, memcmp(&self->before, &self->after,		\
			    sizeof(self->before)))			\
		TH_LOG("%s changed something", (c)->name);		\
	close(_fd);							\
} while (0)

TEST_F(abi, valid)
{
	const struct abi_call *c;
	int fd, ret;

	for (c = abi_calls; c < abi_calls + ABI_NR; c++) {
		fd = abi_file(&self->abi, c);
		ASSERT_LE(0, fd);
		abi_fill(&self->abi, c, &self->arg);
		ret = call(fd, c->cmd, &self->arg);
		EXPECT_EQ(0, ret)
			TH_LOG("%s", c->name);
		EXPECT_EQ(c->size, self->arg.size)
			TH_LOG("%s", c->name);
		if (!ret)
			abi_undo(&self->abi, c, &self->arg);
		close(fd);
	}
}

TEST_F(abi, short)
{
	const struct abi_call *c;
	uint32_t size;

	for (c = abi_calls; c < abi_calls + ABI_NR; c++) {
		for (size = 0; size < c->size; size++) {
			abi_fill(&self->abi, c, &self->arg);
			self->arg.size = size;
			refused(EINVAL, c, &self->arg);
		}
	}
}

/* A program that knows a later version, and does not use it. */
TEST_F(abi, long_zero)
{
	const struct abi_call *c;
	uint32_t sizes[4];
	unsigned int i;
	int fd, ret;

	for (c = abi_calls; c < abi_calls + ABI_NR; c++) {
		sizes[0] = c->size + 1;
		sizes[1] = c->size + 4;
		sizes[2] = c->size + 512;
		sizes[3] = PAGE;
		for (i = 0; i < COUNT(sizes); i++) {
			fd = abi_file(&self->abi, c);
			ASSERT_LE(0, fd);
			abi_fill(&self->abi, c, &self->arg);
			self->arg.size = sizes[i];
			ret = call(fd, c->cmd, &self->arg);
			EXPECT_EQ(0, ret)
				TH_LOG("%s of %u bytes", c->name, sizes[i]);
			EXPECT_EQ(sizes[i], self->arg.size);
			EXPECT_TRUE(all_bytes(self->arg.bytes + c->size,
					      sizes[i] - c->size, 0));
			if (!ret)
				abi_undo(&self->abi, c, &self->arg);
			close(fd);
		}
	}
}

TEST_F(abi, long_not_zero)
{
	const struct abi_call *c;
	uint32_t size;

	for (c = abi_calls; c < abi_calls + ABI_NR; c++) {
		for (size = c->size + 1; size <= PAGE; size = 2 * size) {
			abi_fill(&self->abi, c, &self->arg);
			self->arg.size = size;
			self->arg.bytes[size - 1] = 1;
			refused(E2BIG, c, &self->arg);
			abi_fill(&self->abi, c, &self->arg);
			self->arg.size = size;
			self->arg.bytes[c->size] = 0x80;
			refused(E2BIG, c, &self->arg);
		}
	}
}

TEST_F(abi, too_long)
{
	static const uint32_t sizes[] = {
		4096 + 1, 8192, 0x7fffffff, 0x80000000, 0xffffffff,
	};
	const struct abi_call *c;
	unsigned int i;

	for (c = abi_calls; c < abi_calls + ABI_NR; c++) {
		for (i = 0; i < COUNT(sizes); i++) {
			abi_fill(&self->abi, c, &self->arg);
			self->arg.size = sizes[i];
			refused(E2BIG, c, &self->arg);
		}
	}
}

TEST_F(abi, nowhere)
{
	const struct abi_call *c;

	for (c = abi_calls; c < abi_calls + ABI_NR; c++) {
		refused(EFAULT, c, NULL);
		refused(EFAULT, c, self->guarded + 2 * PAGE);
		refused(EFAULT, c, (void *)-4096L);
		refused(EFAULT, c, (void *)0xffff800000000000UL);
		/* Only a part of the size can be read. */
		refused(EFAULT, c, self->guarded + 2 * PAGE - 2);
	}
}

TEST_F(abi, straddles)
{
	const struct abi_call *c;
	unsigned char *at;
	uint32_t cut;

	for (c = abi_calls; c < abi_calls + ABI_NR; c++) {
		abi_fill(&self->abi, c, &self->arg);
		for (cut = 4; cut < c->size; cut += 4) {
			at = self->guarded + 2 * PAGE - cut;
			memcpy(at, &self->arg, cut);
			refused(EFAULT, c, at);
		}
	}
}

TEST_F(abi, ends_at_the_edge)
{
	const struct abi_call *c;
	unsigned char *at;
	int fd, ret;

	for (c = abi_calls; c < abi_calls + ABI_NR; c++) {
		fd = abi_file(&self->abi, c);
		ASSERT_LE(0, fd);
		abi_fill(&self->abi, c, &self->arg);
		at = self->guarded + 2 * PAGE - c->size;
		memcpy(at, &self->arg, c->size);
		ret = call(fd, c->cmd, at);
		EXPECT_EQ(0, ret)
			TH_LOG("%s", c->name);
		memcpy(&self->arg, at, c->size);
		if (!ret)
			abi_undo(&self->abi, c, &self->arg);
		close(fd);
	}
}

TEST_F(abi, answer_not_writable)
{
	const struct abi_call *c;
	int fd;

	for (c = abi_calls; c < abi_calls + ABI_NR; c++) {
		if (!c->answers)
			continue;
		abi_fill(&self->abi, c, &self->arg);
		memcpy(self->guarded, &self->arg, c->size);
		ASSERT_EQ(0, mprotect(self->guarded, PAGE, PROT_READ));
		if (c->acts_first) {
			fd = abi_file(&self->abi, c);
			ASSERT_LE(0, fd);
			EXPECT_EQ(-EFAULT, call(fd, c->cmd, self->guarded))
				TH_LOG("%s", c->name);
			close(fd);
		} else {
			refused(EFAULT, c, self->guarded);
		}
		ASSERT_EQ(0, mprotect(self->guarded, PAGE,
				      PROT_READ | PROT_WRITE));
	}
}

TEST_HARNESS_MAIN
