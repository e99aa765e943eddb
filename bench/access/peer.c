// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Other processes.  One runs while another waits for its answer, so what they
 * do has an order.
 */

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "access.h"

struct order {
	peer_fn fn;
	long a;
	long b;
};

__attribute__((noreturn))
static void peer_main(int sock)
{
	struct order order;
	long answer;

	while (recv(sock, &order, sizeof(order), 0) == sizeof(order)) {
		answer = order.fn(order.a, order.b);
		if (send(sock, &answer, sizeof(answer), MSG_NOSIGNAL) < 0)
			break;
	}
	_exit(0);
}

static void become(unsigned int uid)
{
	if (setgroups(0, NULL) || setresgid(uid, uid, uid) ||
	    setresuid(uid, uid, uid))
		die("user %u: %s", uid, strerror(errno));
}

void peer_start(struct peer *p, unsigned int uid)
{
	int socks[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, socks))
		die("socketpair: %s", strerror(errno));
	fflush(NULL);
	p->pid = fork();
	if (p->pid < 0)
		die("fork: %s", strerror(errno));
	if (!p->pid) {
		dup2(socks[1], 3);
		syscall(SYS_close_range, 4, ~0U, 0);
		must(open_device(), "/dev/shmchan");
		if (uid)
			become(uid);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		peer_main(3);
	}
	close(socks[1]);
	p->sock = socks[0];
}

void peer_send(const struct peer *p, peer_fn fn, long a, long b)
{
	struct order order = { .fn = fn, .a = a, .b = b };

	if (send(p->sock, &order, sizeof(order), MSG_NOSIGNAL) < 0)
		die("a process has gone: %s", strerror(errno));
}

long peer_answer(const struct peer *p)
{
	long answer;

	if (recv(p->sock, &answer, sizeof(answer), 0) != sizeof(answer))
		die("a process has gone");
	return answer;
}

long peer_call(const struct peer *p, peer_fn fn, long a, long b)
{
	long answer;

	peer_send(p, fn, a, b);
	answer = peer_answer(p);
	if (answer < 0)
		die("another process: %s", strerror((int)-answer));
	return answer;
}

void peer_stop(struct peer *p)
{
	kill(p->pid, SIGKILL);
	waitpid(p->pid, NULL, 0);
	close(p->sock);
}
