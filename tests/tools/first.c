/* first ROOT PROGRAM [ARG]...: the program as the first process of a pid namespace, with
 * mounts and cgroups of its own, and ROOT as its root. Its status is 100 and the number of
 * the signal that ended that one, or else that one's. Without any call that thimble makes: strace
 * counts, and fails, those of whatever starts it as well. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int count, char **words)
{
	struct clone_args clone = { .flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWCGROUP,
		.exit_signal = SIGCHLD };
	struct mount_attr private = { .propagation = 1 << 18 }; /* MS_PRIVATE */
	siginfo_t end;
	if (count < 3)
		return 2;
	long child = syscall(SYS_clone3, &clone, sizeof clone);
	if (child == 0) {
		if (syscall(SYS_mount_setattr, AT_FDCWD, "/", 0x8000, &private, sizeof private) /* AT_RECURSIVE */
			|| chroot(words[1]) || chdir("/"))
			_exit(2);
		execv(words[2], words + 2);
		_exit(2);
	}
	if (child < 0 || waitid(P_PID, child, &end, WEXITED))
		return 2;
	return end.si_code == CLD_EXITED ? end.si_status : 100 + end.si_status;
}
