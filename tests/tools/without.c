/* without NUMBER[,NUMBER]... PROGRAM [ARG]...: executes PROGRAM as on a kernel
 * that lacks these system calls. Only the filter is put on the process, and for
 * an ordinary user no_new_privs, without which there is none. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int count, char **words)
{
	static struct sock_filter filter[130] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	};
	struct sock_fprog program = { .len = 1, .filter = filter };
	if (count < 3)
		return 125;
	for (char *call = strtok(words[1], ","); call && program.len < 128; call = strtok(NULL, ",")) {
		filter[program.len++] =
			(struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, atoi(call), 0, 1);
		filter[program.len++] =
			(struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
	}
	filter[program.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	if (geteuid() != 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return perror("without: prctl"), 125;
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		return perror("without: seccomp"), 125;
	execvp(words[2], words + 2);
	return perror("without: exec"), 125;
}
