/* The yardstick of `make bench`: the steps of the article's last program, with
   a mount namespace, so that it need not undo its mounts by hand in the host's.
   article ROOT COMMAND [ARG]...       leaves the host's root by chroot
   article -p ROOT COMMAND [ARG]...    by pivot_root, as thimble does */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int pivot;
static const char *root;
static char **command;

static void check(const char *what, long answer)
{
    if (answer < 0) {
        perror(what);
        exit(125);
    }
}

static char *stack_memory(void)
{
    const int size = 65536;
    char *stack = malloc(size);
    if (!stack)
        exit(125);
    return stack + size;
}

static int run(void *unused)
{
    (void)unused;
    execvp(command[0], command);
    perror(command[0]);
    return 127;
}

static int jail(void *unused)
{
    int status;
    (void)unused;
    clearenv();
    setenv("TERM", "xterm-256color", 0);
    setenv("PATH", "/bin/:/sbin/:/usr/bin/:/usr/sbin/", 0);
    check("sethostname", sethostname("my-container", strlen("my-container")));
    check("private", mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
    if (pivot) {
        check("bind", mount(root, root, NULL, MS_BIND | MS_REC, NULL));
        check("chdir", chdir(root));
        check("mount", mount("proc", "proc", "proc", 0, NULL));
        check("pivot_root", syscall(SYS_pivot_root, ".", "."));
        check("umount2", umount2(".", MNT_DETACH));
    } else {
        check("chroot", chroot(root));
    }
    check("chdir", chdir("/"));
    if (!pivot)
        check("mount", mount("proc", "/proc", "proc", 0, NULL));
    check("clone", clone(run, stack_memory(), SIGCHLD, NULL));
    wait(&status);
    if (!pivot)
        umount("/proc");
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "-p")) {
        pivot = 1;
        argv++;
        argc--;
    }
    if (argc < 3)
        return 125;
    root = argv[1];
    command = argv + 2;
    check("clone", clone(jail, stack_memory(), CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWNS | SIGCHLD, NULL));
    wait(NULL);
    return 0;
}
