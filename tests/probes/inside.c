/* What only a process of the container itself can tell of it: run by tests/faults.rs,
 * which looks at the rest from outside. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int count, char **words)
{
	/* inside leave: leaves a process behind. */
	if (count > 1 && !strcmp(words[1], "leave") && !fork())
		return setsid(), pause();
	/* inside wait: until its input ends. */
	if (count > 1 && !strcmp(words[1], "wait"))
		return puts("waits"), fflush(stdout), read(0, &count, 1) > 0;
	if (count > 1 && !strcmp(words[1], "stay"))
		signal(SIGTERM, SIG_IGN);
	char name[256] = "";
	long length, all = 0;
	/* So that what hands it on has its chance. */
	while ((length = read(0, name, sizeof name)) > 0)
		all += length;
	printf("input %ld\n", all);
	memset(name, 0, sizeof name);
	struct ifreq lo = { .ifr_name = "lo" };
	gethostname(name, sizeof name);
	printf("host %s\n", name);
	int failed = ioctl(socket(AF_INET, SOCK_DGRAM, 0), SIOCGIFFLAGS, &lo);
	printf("lo %s\n", failed ? "is missing" : lo.ifr_flags & IFF_UP ? "up" : "down");
	printf("session %d group %d parent %d\n", getsid(0), getpgrp(), getppid());

	/* Named by the caller, so that another has another name. */
	memset(name, 0, sizeof name);
	length = syscall(SYS_keyctl, KEYCTL_DESCRIBE, KEY_SPEC_SESSION_KEYRING, name, sizeof name);
	printf("keyring %s\n", length < 0 ? strerror(errno) : name);

	/* Of a process that is not there: EPERM is the filter's answer. */
	failed = ptrace(PTRACE_ATTACH, 0x7fffffff, 0, 0);
	printf("ptrace %s\n", failed && errno == EPERM ? "refused" : "allowed");

	static const char *const files[] = {
		"/proc/1/exe", "/proc/1/environ", "/proc/1/maps", "/proc/1/mem", "/proc/1/fd/0",
	};
	for (unsigned i = 0; i < sizeof files / sizeof *files; i++)
		printf("%s %s\n", files[i], open(files[i], O_RDONLY) < 0 ? strerror(errno) : "opens");
	fflush(stdout);
	/* inside stay: until it is killed. */
	if (count > 1 && !strcmp(words[1], "stay"))
		for (;;)
			pause();
	return 7;
}
