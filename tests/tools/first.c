/* first ROOT PROGRAM [ARG]...: the program as the first process of a pid namespace, with
 * mounts and cgroups of its own, and ROOT as its root. Prints how it ended. By itself, since
 * strace counts the calls of whatever starts it as well. */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int count, char **words)
{
	int status, flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWCGROUP | SIGCHLD;
	if (count < 3)
		return 2;
	long child = syscall(SYS_clone, flags, 0, 0, 0, 0);
	if (child == 0) {
		if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) || chroot(words[1]) || chdir("/"))
			_exit(2);
		execv(words[2], words + 2);
		_exit(2);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return 2;
	printf("ended by signal %d, status %d\n", WTERMSIG(status), WEXITSTATUS(status));
	return 0;
}
