/* fault [-e] [-p] [-t] [-k] [-u ID] [-i DIRECTORY] [-m DIRECTORY] [-n DIRECTORY] [-c FILE]
 *       [-s FILE]
 *       WHERE NUMBER COUNT ERRNO IN OUT ERR PROGRAM [ARG]...
 * Runs a program that starts others, and fails one system call of one of its
 * processes: the COUNTth of that NUMBER in the process WHERE, or each in every
 * process if COUNT is 0. strace counts in every process alike, so that the second
 * mount(2) of a child is out of its reach as long as the parent makes two.
 *
 * A process is named by its way from the first: 0, its second child 0.2, and so on.
 * One that executes another program is followed up to there. On standard output:
 *   call WHERE NUMBER TEXT   each system call, of which TEXT is what can be read
 *   error WHERE NUMBER ERRNO that one failed by itself
 *   hit WHERE NUMBER TEXT    the one that is failed
 *   program PID PARENT FIRST another program was executed by other than a child of the
 *                            first, and waits for a line on standard input before its
 *                            first instruction
 *   waits PID FIRST                a process other than the first waits for signals for the
 *                            first time; it is held as well
 *   left WHAT                a process that outlives the first, a mount of the host's, or
 *                            changed modes of the terminal
 *   end STATUS               of the first, as wait(2) has it
 * -e: the program is a child of the first, which waits for it.
 * -p: the program is executed by the first child of the first. -u: as this user and group.
 * -m: with a tmpfs on DIRECTORY, in a mount namespace that nobody else has. -n: with nothing
 * mounted on DIRECTORY, likewise. -c: in the cgroup whose cgroup.procs FILE is. -s: with FILE
 * as descriptor 4. -t: with a terminal in the place of IN, in a session of its own. -i: as the
 * first process of a pid namespace, with mounts and cgroups of its own and DIRECTORY as its root.
 * -k: the call is not failed, but never made: its process is ended by SIGKILL instead. */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

enum { SECONDS = 15, MOST = 64, CALLS = 1024 };

static struct process {
	pid_t pid;
	char name[40];
	int children, failing, waited, done;
	long now;
	unsigned counts[CALLS];
} processes[MOST];

static int entering;
static pid_t first;
static const char *where;
static long number;
static unsigned count;
static int error, killing, slave = -1, master = -1;

static void need(int good, const char *what)
{
	if (!good) {
		fprintf(stderr, "fault: %s: %s\n", what, strerror(errno));
		exit(1);
	}
}

static pid_t parent_of(pid_t pid)
{
	char path[64], line[128];
	int parent = 0;
	snprintf(path, sizeof path, "/proc/%d/status", pid);
	FILE *file = fopen(path, "r");
	while (file && fgets(line, sizeof line, file))
		if (sscanf(line, "PPid: %d", &parent) == 1)
			break;
	if (file)
		fclose(file);
	return parent;
}

static struct process *find(pid_t pid)
{
	for (struct process *p = processes; p < processes + MOST; p++)
		if (p->pid == pid)
			return p;
	return NULL;
}

/* A process that is seen for the first time may be so before its parent's clone(2) is. */
static struct process *process(pid_t pid)
{
	struct process *known = find(pid);
	if (known)
		return known;
	struct process *p = find(0), *parent = find(parent_of(pid));
	need(p != NULL, "too many processes");
	memset(p, 0, sizeof *p);
	p->pid = pid;
	if (parent)
		snprintf(p->name, sizeof p->name, "%.20s.%d", parent->name, ++parent->children);
	else
		strcpy(p->name, pid == first ? "0" : "?");
	return p;
}

/* rt_sigtimedwait(2), which has another number for times of 64 bits where words have 32. */
static int waits(long nr)
{
#ifdef SYS_rt_sigtimedwait_time64
	if (nr == SYS_rt_sigtimedwait_time64)
		return 1;
#endif
	return nr == SYS_rt_sigtimedwait;
}

/* What can be read of a call: those of its first arguments that point to text. */
static const char *text(pid_t pid, const struct __ptrace_syscall_info *info)
{
	static char line[256];
	line[0] = 0;
	switch (info->entry.nr) {
	case SYS_read: case SYS_fstat: case SYS_fstatfs: case SYS_uname: case SYS_getdents64:
	case SYS_wait4: case SYS_capget:
		return line; /* nothing is there to be read yet */
	}
	if (waits(info->entry.nr))
		return line;
	for (int i = 0; i < 3; i++) {
		char word[64] = "";
		unsigned long from = info->entry.args[i];
		/* Not across a page, which may be the last. */
		size_t room = 4096 - from % 4096, most = room < 60 ? room : 60;
		struct iovec here = { word, most }, there = { (void *)from, most };
		if (from < 4096 || process_vm_readv(pid, &here, 1, &there, 1, 0) <= 0)
			continue;
		word[most] = 0;
		for (char *c = word; *c; c++)
			if (*c < ' ' || *c > '~')
				*c = 0;
		if (word[0]) {
			strcat(line, " ");
			strcat(line, word);
		}
	}
	return line;
}

/* A process may be killed while it is held: its end is what comes next. */
static int reached(long failed)
{
	return !failed || errno == ESRCH;
}

static void hold(void)
{
	char byte;
	need(read(0, &byte, 1) == 1, "nobody looks");
}

static void answer(pid_t pid, long value)
{
#if defined __x86_64__
	need(reached(ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, regs.rax), value)), "answer");
#elif defined __i386__
	need(reached(ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, regs.eax), value)), "answer");
#elif defined __aarch64__
	struct user_regs_struct regs;
	struct iovec all = { &regs, sizeof regs };
	need(reached(ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &all)), "answer");
	regs.regs[0] = value;
	need(reached(ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &all)), "answer");
#endif
}

static void skip(pid_t pid)
{
#if defined __x86_64__
	need(reached(ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, regs.orig_rax), -1L)), "skip");
#elif defined __i386__
	need(reached(ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, regs.orig_eax), -1L)), "skip");
#elif defined __aarch64__
	int none = -1;
	struct iovec call = { &none, sizeof none };
	need(reached(ptrace(PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL, &call)), "skip");
#endif
}

/* At the beginning and the end of a system call. */
static void at_call(struct process *p)
{
	struct __ptrace_syscall_info info;
	if (ptrace(PTRACE_GET_SYSCALL_INFO, p->pid, sizeof info, &info) < 0)
		return; /* killed meanwhile */
	if (info.op == PTRACE_SYSCALL_INFO_EXIT && number < 0 && info.exit.is_error)
		printf("error %s %ld %lld\n", p->name, p->now, -(long long)info.exit.rval);
	if (info.op == PTRACE_SYSCALL_INFO_EXIT && p->failing) {
		p->failing = 0;
		answer(p->pid, -error);
	}
	if (info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return;
	long nr = info.entry.nr;
	if (nr < 0 || nr >= CALLS)
		return;
	if (waits(nr) && (p->pid != first || entering) && !p->waited++) {
		printf("waits %d %d\n", p->pid, first);
		hold();
	}
	p->now = nr;
	unsigned now = ++p->counts[nr];
	if (number < 0)
		printf("call %s %ld%s\n", p->name, nr, text(p->pid, &info));
	/* These do not come back. */
	if (nr != number || nr == SYS_exit_group || nr == SYS_rt_sigreturn)
		return;
	if (count == 0 || (count == now && !strcmp(where, p->name))) {
		static int told;
		if (told++ < MOST)
			printf("hit %s %ld%s\n", p->name, nr, text(p->pid, &info));
		if (killing) {
			need(reached(kill(p->pid, SIGKILL)), "kill");
			return;
		}
		p->failing = 1;
		/* close(2) releases the descriptor, whatever it answers. */
		if (nr != SYS_close)
			skip(p->pid);
	}
}

/* A caller with what must not come through. */
static void start(char **words, long user, const char *cgroup, const char *status,
	const char *root)
{
	gid_t group = 4242;
	sigset_t blocked;
	if (slave >= 0)
		need(setsid() > 0 && !ioctl(slave, TIOCSCTTY, 0), "session");
	for (int i = 0; i < 3; i++) {
		if (i == 0 && slave >= 0) {
			need(dup2(slave, 0) == 0, "terminal");
			continue;
		}
		int fd = open(words[i], i ? O_WRONLY | O_CREAT | O_TRUNC : O_RDONLY, 0666);
		need(fd >= 0 && dup2(fd, i) == i, words[i]);
		close(fd);
	}
	if (cgroup) {
		int fd = open(cgroup, O_WRONLY);
		need(fd >= 0 && write(fd, "0", 1) == 1, cgroup);
		close(fd);
	}
	need(!setgroups(user < 0, &group), "groups");
	need(user < 0 || (!setresgid(user, user, user) && !setresuid(user, user, user)), "user");
	need(dup2(open("/dev/zero", O_RDONLY), 3) == 3, "descriptor");
	need(!status || dup2(open(status, O_WRONLY | O_CREAT | O_TRUNC, 0666), 4) == 4, "status");
	closefrom(status ? 5 : 4);
	syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, "callers");
	signal(SIGHUP, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	sigprocmask(SIG_SETMASK, &blocked, NULL);
	setenv("LEAKED", "1", 1);
	umask(077);
	if (root)
		need(!unshare(CLONE_NEWNS | CLONE_NEWCGROUP)
			&& !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)
			&& !chroot(root) && !chdir("/"), root);
	execv(words[3], words + 3);
	need(0, words[3]);
}

/* Ends the input, once that is not the business of this terminal but of another. */
static void type(void)
{
	static int typed;
	struct termios now;
	if (!typed && !tcgetattr(slave, &now) && !(now.c_lflag & ICANON))
		typed = write(master, "\4", 1) == 1;
}

static size_t mount_table(char *into, size_t size)
{
	size_t all = 0;
	ssize_t some;
	int fd = open("/proc/self/mountinfo", O_RDONLY);
	while ((some = read(fd, into + all, size - all)) > 0)
		all += some;
	close(fd);
	return all;
}

int main(int length, char **words)
{
	static char before[1 << 18], after[1 << 18];
	long user = -1;
	struct termios were = { 0 }, are = { 0 };
	int by_child = 0;
	const char *cgroup = NULL, *told = NULL, *root = NULL;
	int option, status, ended = -1, go[2];
	while ((option = getopt(length, words, "+epkti:u:m:n:c:s:")) != -1) {
		if (option == 'e') {
			entering = 1;
		} else if (option == 'p') {
			by_child = 1;
		} else if (option == 'k') {
			killing = 1;
		} else if (option == 'i') {
			root = optarg;
			need(!unshare(CLONE_NEWPID), "pid namespace");
		} else if (option == 'u') {
			user = atol(optarg);
		} else if (option == 'c') {
			cgroup = optarg;
		} else if (option == 's') {
			told = optarg;
		} else if (option == 'm' || option == 'n') {
			need(!unshare(CLONE_NEWNS), "unshare");
			need(!mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private");
			need(!(option == 'm' ? mount("none", optarg, "tmpfs", 0, NULL)
				: umount2(optarg, MNT_DETACH)), optarg);
		} else if (option == 't') {
			master = posix_openpt(O_RDWR | O_NOCTTY);
			need(master >= 0 && !unlockpt(master), "terminal");
			slave = open(ptsname(master), O_RDWR | O_NOCTTY);
			need(slave >= 0 && !tcgetattr(slave, &were), "terminal");
		} else {
			return 1;
		}
	}
	words += optind;
	need(length - optind > 7, "too few words");
	where = words[0], number = atol(words[1]), count = atol(words[2]), error = atoi(words[3]);
	need(!prctl(PR_SET_CHILD_SUBREAPER, 1), "subreaper");
	size_t table = mount_table(before, sizeof before);
	setvbuf(stdout, NULL, _IOLBF, 0);
	/* Whose end is that of all it traces. */
	alarm(SECONDS);

	need(!pipe(go), "pipe");
	first = fork();
	if (first == 0) {
		char byte;
		need(read(go[0], &byte, 1) == 1, "go");
		start(words + 4, user, cgroup, told, root);
	}
	long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_TRACECLONE
		| PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_EXITKILL;
	need(!ptrace(PTRACE_SEIZE, first, 0, options), "seize");
	need(write(go[1], "!", 1) == 1, "go");
	process(first);

	for (int begun = 0, ran = 0, patience = 500; patience > 0;) {
		pid_t pid = waitpid(-1, &status, ended < 0 ? __WALL : __WALL | WNOHANG);
		if (pid < 0)
			break;
		if (pid == 0) {
			patience--;
			usleep(2000);
			continue;
		}
		if (!WIFSTOPPED(status)) {
			struct process *gone = find(pid);
			if (gone)
				gone->done = 1;
			if (pid == first)
				ended = status;
			continue;
		}
		struct process *p = process(pid);
		int signal = WSTOPSIG(status), event = status >> 16;
		enum __ptrace_request next = begun ? PTRACE_SYSCALL : PTRACE_CONT;
		if (event == PTRACE_EVENT_EXEC && pid == first) {
			begun = 1;
			next = PTRACE_SYSCALL;
		} else if (event == PTRACE_EVENT_CLONE || event == PTRACE_EVENT_FORK
			   || event == PTRACE_EVENT_VFORK) {
			/* Named in the order in which they are made. */
			unsigned long child;
			if (!ptrace(PTRACE_GETEVENTMSG, pid, 0, &child))
				process(child);
		} else if (event == PTRACE_EVENT_EXEC) {
			/* Not what the first one calls for help. */
			if (entering || (by_child ? !strcmp(p->name, "0.1") : parent_of(pid) != first)) {
				printf("program %d %d %d\n", pid, parent_of(pid), first);
				hold();
				ran = 1;
			}
			/* It stays on the list: what its parent says of it may come later. */
			p->done = 1;
			next = PTRACE_DETACH;
		} else if (signal == (SIGTRAP | 0x80)) {
			at_call(p);
		}
		if (ran && slave >= 0)
			type();
		ptrace(next, pid, 0, event || signal == (SIGTRAP | 0x80) ? 0 : signal);
	}
	for (struct process *p = processes; p < processes + MOST; p++)
		if (p->pid && !p->done)
			printf("left process %s\n", p->name);
	if (waitpid(-1, &status, __WALL | WNOHANG) == 0)
		printf("left a process\n");
	if (mount_table(after, sizeof after) != table || memcmp(before, after, table))
		printf("left a mount\n");
	if (slave >= 0 && (tcgetattr(slave, &are) || memcmp(&were, &are, sizeof are)))
		printf("left changed modes\n");
	printf("end %d\n", ended);
	return 0;
}
