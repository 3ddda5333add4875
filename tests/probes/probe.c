/* What an attacker does inside a container: probe ATTACK [ARGUMENT...].
 * Status 0: it worked. 1: it was refused, and the reason is printed. Anything
 * else: the probe itself is at fault. Nothing here writes to what is not its own:
 * that the host's file opens for writing is proof enough. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#define HANDLE_BYTES 128

static const char *argument(char **arguments, int at)
{
    for (int i = 0; i <= at; i++)
        if (!arguments[i])
            exit(2);
    return arguments[at];
}

/* The verdict on a call: negative is refused. */
static int refused_if(long answer, const char *what)
{
    if (answer >= 0)
        return 0;
    printf("%s: %s\n", what, strerror(errno));
    return 1;
}

static int opens(const char *path, int flags)
{
    int fd = open(path, flags | O_NONBLOCK | O_CLOEXEC);
    return refused_if(fd, path);
}

/* Up from where the process is, and then down to a file of the host's. */
static int climb(const char *mark)
{
    for (int i = 0; i < 64; i++)
        if (chdir(".."))
            break;
    return opens(mark + 1, O_PATH);
}

/* open MODE PATH...: does any of them open for reading (r), writing (w)? */
static int opening(char **a)
{
    int flags = *argument(a, 0) == 'w' ? O_WRONLY : O_RDONLY, verdict = 1;
    for (a++; *a; a++)
        verdict &= opens(*a, flags);
    return verdict;
}

/* filled PATH...: does any of them hold anything, as file or directory? */
static int filled(char **a)
{
    for (; *a; a++) {
        char byte;
        int fd = open(*a, O_RDONLY | O_NONBLOCK), entries = 0;
        DIR *directory = fdopendir(fd);
        if (!directory && fd >= 0 && read(fd, &byte, 1) == 1)
            return 0;
        while (directory && readdir(directory))
            entries++;
        if (entries > 2)
            return 0;
        printf("%s: nothing\n", *a);
    }
    return 1;
}

/* descriptor MARK: is one of the descriptors a way out? */
static int descriptor(char **a)
{
    for (int fd = 0; fd < 64; fd++)
        if (!fchdir(fd) && !climb(argument(a, 0)))
            return 0;
    return 1;
}

/* here MARK: does the working directory lie outside? */
static int here(char **a)
{
    return climb(argument(a, 0));
}

/* chroots MARK: a second chroot below, and out over a directory that was kept. */
static int chroots(char **a)
{
    int kept = open("/", O_RDONLY | O_DIRECTORY);
    mkdir("/tmp/below", 0700);
    if (refused_if(chroot("/tmp/below"), "chroot") || refused_if(fchdir(kept), "fchdir"))
        return 1;
    for (int i = 0; i < 64; i++)
        if (chdir(".."))
            break;
    return refused_if(chroot("."), "chroot") || opens(argument(a, 0), O_PATH);
}

/* unmounts MARK: its own root off the mount table, and out over what is below it. */
static int unmounts(char **a)
{
    return refused_if(umount2("/", MNT_DETACH), "umount2") || (climb(argument(a, 0)) && chroots(a));
}

/* terminal REQUEST: an ioctl of one byte on standard input. */
static int terminal(char **a)
{
    char byte[] = "x";
    /* ioctl(3) would cut the request short. */
    long answer = syscall(SYS_ioctl, 0, (long)strtoull(argument(a, 0), 0, 0), byte);
    /* That only a console knows this request is the driver's answer: it got there. */
    return answer < 0 && errno == ENOTTY ? 0 : refused_if(answer, "ioctl");
}

/* discipline: another line discipline (N_NULL) for the terminal that is standard input. */
static int discipline(char **a)
{
    (void)a;
    int null = 27;
    return refused_if(ioctl(0, TIOCSETD, &null), "ioctl");
}

/* resizes: another size for the terminal that is standard input. */
static int resizes(char **a)
{
    (void)a;
    struct winsize size = { .ws_row = 7, .ws_col = 7 };
    return refused_if(ioctl(0, TIOCSWINSZ, &size), "ioctl");
}

/* silences TEXT: the last word on the terminal that is standard output: what comes next there is
 * stopped, and in capital letters if it is let go. */
static int silences(char **a)
{
    struct termios modes;
    printf("%s\n", argument(a, 0));
    if (tcdrain(1) || tcgetattr(1, &modes))
        return 2;
    modes.c_oflag |= OLCUC;
    cfsetspeed(&modes, B50);
    return tcsetattr(1, TCSANOW, &modes) || tcflow(1, TCOOFF) ? 2 : 1;
}

/* keeps PATH: goes away, and leaves a process with the terminal that is standard input, which
 * notes in the file what is typed there. */
static int keeps(char **a)
{
    int noted = open(argument(a, 0), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    char line[256] = "gone\n";
    signal(SIGHUP, SIG_IGN);
    pid_t parent = getpid();
    if (noted < 0 || ioctl(0, TIOCNOTTY))
        return 2;
    if (fork())
        return 0;
    while (getppid() == parent)
        usleep(1000);
    for (long length = 5; length > 0; length = read(0, line, sizeof line))
        if (write(noted, line, length) < 0)
            return 2;
    return 0;
}

/* offers PATH: notes its number in the file, and stays. */
static int offers(char **a)
{
    char path[256], line[16];
    snprintf(path, sizeof path, "%s.new", argument(a, 0));
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (write(file, line, snprintf(line, sizeof line, "%d", getpid())) < 0 || rename(path, a[0]))
        return 2;
    for (;;)
        pause();
}

/* takes PATH DEVICE TERMINAL: the standard input of the process that offers it there: is it that
 * terminal, of that devpts? */
static int takes(char **a)
{
    char path[64], line[16] = "";
    struct stat found;
    argument(a, 2);
    printf("ready\n");
    int file;
    while ((file = open(a[0], O_RDONLY)) < 0)
        usleep(1000);
    if (read(file, line, sizeof line - 1) < 0)
        return 2;
    snprintf(path, sizeof path, "/proc/%s/fd/0", line);
    int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK);
    if (refused_if(fd, path) || fstat(fd, &found))
        return 1;
    return found.st_dev != strtoull(a[1], 0, 0) || found.st_rdev != strtoull(a[2], 0, 0);
}

/* renames FROM TO */
static int renames(char **a)
{
    return refused_if(rename(argument(a, 0), argument(a, 1)), "rename");
}

/* mounts TYPE OPTIONS [FILE]: a file system, and a file of it that is there to write to. */
static int mounts(char **a)
{
    char path[256];
    argument(a, 1);
    snprintf(path, sizeof path, "/tmp/mounted/%s", a[2] ? a[2] : "");
    mkdir("/tmp/mounted", 0700);
    return refused_if(mount(a[0], "/tmp/mounted", a[0], 0, a[1]), "mount")
        || opens(path, a[2] ? O_WRONLY : O_PATH);
}

static void put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY);
    if (write(fd, text, strlen(text)) < 0)
        printf("%s: %s\n", path, strerror(errno));
    close(fd);
}

/* write PATH TEXT */
static int writing(char **a)
{
    put(argument(a, 0), argument(a, 1));
    return 0;
}

/* nested PROBE...: the rest in a user namespace in which this user is root. */
static int nested(char **a)
{
    char map[32];
    snprintf(map, sizeof map, "0 %u 1", geteuid());
    if (refused_if(unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWCGROUP), "unshare"))
        return 1;
    put("/proc/self/setgroups", "deny");
    put("/proc/self/uid_map", map);
    snprintf(map, sizeof map, "0 %u 1", getegid());
    put("/proc/self/gid_map", map);
    return refused_if(execvp("/proc/self/exe", a - 1), "exec") ? 2 : 2;
}

/* namespaces FLAGS: new ones of these kinds. */
static int namespaces(char **a)
{
    return refused_if(syscall(SYS_unshare, strtoul(argument(a, 0), 0, 0)), "unshare");
}

/* node PATH MAJOR MINOR: a device made and opened. */
static int node(char **a)
{
    dev_t device = makedev(atoi(argument(a, 1)), atoi(argument(a, 2)));
    return refused_if(mknod(a[0], S_IFCHR | 0666, device), "mknod") || opens(a[0], O_RDONLY);
}

/* link PATH: is there a link of the image's? */
static int link_at(char **a)
{
    char target[1];
    return refused_if(readlink(argument(a, 0), target, 1), a[0]);
}

/* handle FILE: its handle, for the probe inside. */
static int handle(char **a)
{
    struct { struct file_handle head; unsigned char rest[HANDLE_BYTES]; } file;
    int mount;
    file.head.handle_bytes = HANDLE_BYTES;
    if (name_to_handle_at(AT_FDCWD, argument(a, 0), &file.head, &mount, 0))
        return 2;
    printf("%d:", file.head.handle_type);
    for (unsigned i = 0; i < file.head.handle_bytes; i++)
        printf("%02x", file.head.f_handle[i]);
    return 0;
}

/* by-handle HANDLE: opens a file by it. */
static int by_handle(char **a)
{
    struct { struct file_handle head; unsigned char rest[HANDLE_BYTES]; } file;
    const char *digits = strchr(argument(a, 0), ':');
    unsigned length = 0, byte;
    file.head.handle_type = atoi(a[0]);
    for (; digits && sscanf(digits + 1 + 2 * length, "%2x", &byte) == 1; length++)
        file.head.f_handle[length] = byte;
    file.head.handle_bytes = length;
    int root = open("/", O_RDONLY | O_DIRECTORY);
    return refused_if(open_by_handle_at(root, &file.head, O_RDONLY), "open_by_handle_at");
}

/* with-key COMMAND...: runs it with a key in its session's keyring. */
static int with_key(char **a)
{
    syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, 0);
    if (syscall(SYS_add_key, "user", "thimble", "x", 1, KEY_SPEC_SESSION_KEYRING) < 0)
        return 2;
    execvp(argument(a, 0), a);
    return 2;
}

/* key: finds it. */
static int key(char **a)
{
    (void)a;
    return refused_if(syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user",
                              "thimble", 0), "keyctl");
}

/* seize: ptrace of the parent, which is pid 1. */
static int seize(char **a)
{
    (void)a;
    return refused_if(ptrace(PTRACE_SEIZE, getppid(), 0, 0), "ptrace");
}

/* runner: a descriptor of the program that runs the container, by which it could be overwritten. */
static int runner(char **a)
{
    (void)a;
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/exe", getppid());
    return opens(path, O_RDONLY);
}

/* signals: the parent, which is pid 1, does not survive them. */
static int signals(char **a)
{
    (void)a;
    pid_t parent = getppid();
    /* It passes them on to this process; those that the C library keeps for itself, too. */
    unsigned long long all = ~0ull;
    if (syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, 0, sizeof all))
        return 2;
    for (int number = 1; number <= 64; number++)
        kill(parent, number);
    usleep(200000);
    printf("alive\n");
    return 1;
}

/* outlives: takes no signal, stops pid 1, and is there when it is sent the second one to end. */
static int outlives(char **a)
{
    (void)a;
    unsigned long long all = ~0ull, terminate = 1 << (SIGTERM - 1);
    struct timespec limit = { .tv_sec = 60 };
    if (syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, 0, sizeof all))
        return 2;
    printf("ready\n");
    kill(1, SIGSTOP);
    for (int times = 0; times < 2; times++)
        if (syscall(SYS_rt_sigtimedwait, &terminate, 0, &limit, sizeof all) != SIGTERM)
            return 1;
    printf("outlived\n");
    return 0;
}

/* forks PATH: leaves processes of which each makes another one and ends: until that file is gone,
 * for a minute at most. */
static int forks(char **a)
{
    time_t end = time(NULL) + 60;
    if (fork())
        return 0;
    setsid();
    while (access(argument(a, 0), F_OK) == 0 && time(NULL) < end) {
        if (fork() > 0)
            _exit(0);
        usleep(100); /* Whoever reaps them has other things to do as well. */
    }
    return 0;
}

/* process PID: is it there to be signalled? */
static int process(char **a)
{
    return refused_if(kill(atoi(argument(a, 0)), 0), "kill");
}

/* connect PORT: to a server on the host's loopback interface. */
static int connecting(char **a)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(atoi(argument(a, 0))) };
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return refused_if(connect(socket(AF_INET, SOCK_STREAM, 0), (void *)&to, sizeof to), "connect");
}

/* queue KEY: a System V message queue of the host's. */
static int queue(char **a)
{
    return refused_if(msgget(atoi(argument(a, 0)), 0), "msgget");
}

/* make-queue KEY / remove-queue KEY */
static int make_queue(char **a)
{
    return refused_if(msgget(atoi(argument(a, 0)), IPC_CREAT | 0666), "msgget");
}
static int remove_queue(char **a)
{
    return refused_if(msgctl(msgget(atoi(argument(a, 0)), 0), IPC_RMID, 0), "msgctl");
}

/* hostname NAME: is it that? */
static int hostname(char **a)
{
    char name[65] = "";
    gethostname(name, 64);
    printf("%s\n", name);
    return strcmp(name, argument(a, 0)) != 0;
}

/* rename-host: takes CAP_SYS_ADMIN over the host name's namespace. */
static int rename_host(char **a)
{
    (void)a;
    return refused_if(sethostname("renamed", 7), "sethostname");
}

/* group NUMBER: is it one of ours? */
static int group(char **a)
{
    gid_t groups[128];
    int count = getgroups(128, groups);
    while (count-- > 0)
        if (groups[count] == strtoul(argument(a, 0), 0, 0))
            return 0;
    return 1;
}

/* drop-groups: setgroups(2) to none. */
static int drop_groups(char **a)
{
    (void)a;
    return refused_if(syscall(SYS_setgroups, 0, NULL), "setgroups");
}

/* inheritable: any capability in that set. */
static int inheritable(char **a)
{
    (void)a;
    struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct data[2] = { 0 };
    if (syscall(SYS_capget, &header, data))
        return 2;
    printf("%x %x\n", data[0].inheritable, data[1].inheritable);
    return !(data[0].inheritable | data[1].inheritable);
}

/* root: are we? */
static int root(char **a)
{
    (void)a;
    printf("%d\n", geteuid());
    return geteuid() != 0;
}

/* text PATH TEXT: is the text in the file? */
static int text(char **a)
{
    static char content[65536];
    int fd = open(argument(a, 0), O_RDONLY);
    long length = fd < 0 ? -1 : read(fd, content, sizeof content);
    if (length < 0)
        return refused_if(-1, a[0]);
    return !memmem(content, length, argument(a, 1), strlen(argument(a, 1)));
}

/* told [GROUP'S FIRST'S]: tells the number of each signal that comes, until the last one, or that
 * which is sent to pid 1 after the other to this process group. By system calls alone: a C library
 * keeps some signals to itself. */
static int told(char **a)
{
    long last = *a ? atol(argument(a, 1)) : 64;
    unsigned long long all = -1; /* the kernel's set of signals */
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, 0, sizeof all);
    if (*a && (kill(0, atoi(*a)) || kill(1, last)))
        return refused_if(-1, "kill");
    for (long signal = 0; signal != last;) {
        printf(signal ? "%ld\n" : "ready\n", signal);
        fflush(stdout);
        signal = syscall(SYS_rt_sigtimedwait, &all, 0, 0, sizeof all);
    }
    return 0;
}

/* call NUMBER [ARGUMENT...]: a system call; its errno is printed. Of the letters, p is an absent
 * path, e an empty string, t a type of file system. */
static int call(char **a)
{
    long number = atol(argument(a, 0)), values[6] = { 0 };
    for (int i = 0; i < 6 && a[i + 1]; i++) {
        char c = *a[i + 1];
        values[i] = c == 'p' ? (long)"/nowhere" : c == 'e' ? (long)"" : c == 't' ? (long)"tmpfs"
            : (long)strtoull(a[i + 1], 0, 0);
        if (c == '-')
            values[i] = atol(a[i + 1]);
    }
    long answer = syscall(number, values[0], values[1], values[2], values[3], values[4], values[5]);
    if (number == SYS_clone && answer == 0)
        _exit(0);
    printf("%d", answer == -1 ? errno : 0);
    return 0;
}

/* i386: getpid by the 32-bit way in. */
static int by_i386(char **a)
{
    (void)a;
#ifdef __x86_64__
    int pid;
    __asm__ volatile("int $0x80" : "=a"(pid) : "a"(20) : "memory");
    printf("%d\n", pid);
    return pid != getpid();
#else
    return 2;
#endif
}

/* wordless PROGRAM: executes it without any argument, not even its name. */
static int wordless(char **a)
{
    char *nothing[] = { NULL };
    execv(argument(a, 0), nothing);
    return 2;
}

/* exchange DIRECTORY ONE OTHER: swaps two names until it is killed: as fast as it can, and
   then with pauses, for where there is one processor alone, it is in between another's steps
   only as it wakes up. */
static int exchange(char **a)
{
    if (chdir(argument(a, 0)))
        return 2;
    argument(a, 2);
    for (unsigned round = 0;; round++) {
        renameat2(AT_FDCWD, a[1], AT_FDCWD, a[2], RENAME_EXCHANGE);
        if (round % 512 >= 500)
            usleep(round * 7 % 400);
    }
}

/* Whether a process has executed nothing since it was made (PF_FORKNOEXEC). */
static int is_raw(const char *pid)
{
    char path[64], line[512] = "";
    unsigned flags = 0;
    snprintf(path, sizeof path, "/proc/%s/stat", pid);
    int fd = open(path, O_RDONLY);
    if (fd < 0 || read(fd, line, sizeof line - 1) < 0 || !strrchr(line, ')'))
        line[0] = 0;
    close(fd);
    if (line[0])
        sscanf(strrchr(line, ')') + 1, " %*c %*d %*d %*d %*d %*d %u", &flags);
    return (flags & 0x40) != 0;
}

static volatile sig_atomic_t over;
static void end(int number)
{
    (void)number;
    over = 1;
}

/* spin DEVICE INODE: until SIGTERM, looks into whatever process there is. One that is opened and
 * has executed nothing even afterwards was thimble's own, and so is the file of that device and
 * inode. Prints what was opened. */
static int spin(char **a)
{
    static const char *const entries[] = { "exe", "mem", "root/.", "cwd/.", "fd", "maps", "cmdline" };
    enum { COUNT = sizeof entries / sizeof *entries };
    unsigned opened[COUNT + 2] = { 0 }, any = 0;
    unsigned long device = strtoul(argument(a, 0), 0, 0), inode = strtoul(argument(a, 1), 0, 0);
    signal(SIGTERM, end);
    printf("spins\n");
    while (!over) {
        DIR *proc = opendir("/proc");
        for (struct dirent *entry; proc && (entry = readdir(proc)) && !over;) {
            const char *pid = entry->d_name;
            if (*pid < '0' || *pid > '9' || atoi(pid) == getpid())
                continue;
            for (int i = 0; i < COUNT; i++) {
                char path[300], more[320];
                struct stat file;
                snprintf(path, sizeof path, "/proc/%s/%s", pid, entries[i]);
                int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
                if (fd < 0)
                    continue;
                /* Root may list the descriptors of anyone, and everybody read a line of NULs. */
                char byte;
                opened[i] += i != 4 && (i != 6 || (read(fd, &byte, 1) == 1 && byte)) && is_raw(pid);
                if (i == 0 && !fstat(fd, &file) && file.st_dev == device && file.st_ino == inode)
                    opened[COUNT]++;
                DIR *fds = i == 4 ? fdopendir(fd) : NULL;
                for (struct dirent *one; fds && (one = readdir(fds));) {
                    snprintf(more, sizeof more, "%s/%.12s", path, one->d_name);
                    int got = *one->d_name == '.' ? -1 : open(more, O_PATH);
                    opened[i] += got >= 0 && is_raw(pid);
                    close(got);
                }
                if (fds)
                    closedir(fds);
                else
                    close(fd);
            }
            if (!ptrace(PTRACE_SEIZE, atoi(pid), 0, 0)) {
                opened[COUNT + 1] += is_raw(pid);
                ptrace(PTRACE_INTERRUPT, atoi(pid), 0, 0);
                waitpid(atoi(pid), NULL, __WALL);
                ptrace(PTRACE_DETACH, atoi(pid), 0, 0);
            }
        }
        closedir(proc);
    }
    for (int i = 0; i < COUNT + 2; i++)
        if (opened[i]) {
            printf("%s ", i < COUNT ? entries[i] : i == COUNT ? "host" : "ptrace");
            any = 1;
        }
    printf("\n");
    return !any;
}

static const struct { const char *name; int (*run)(char **); } ATTACKS[] = {
    { "told", told }, { "open", opening }, { "filled", filled }, { "descriptor", descriptor }, { "here", here },
    { "chroots", chroots }, { "unmounts", unmounts }, { "terminal", terminal }, { "mounts", mounts }, { "write", writing }, { "nested", nested },
    { "namespaces", namespaces }, { "node", node }, { "link", link_at }, { "handle", handle },
    { "by-handle", by_handle }, { "with-key", with_key }, { "key", key }, { "seize", seize },
    { "discipline", discipline }, { "resizes", resizes }, { "silences", silences },
    { "keeps", keeps }, { "offers", offers }, { "takes", takes }, { "renames", renames },
    { "outlives", outlives }, { "forks", forks },
    { "runner", runner }, { "signals", signals }, { "process", process },
    { "connect", connecting }, { "queue", queue }, { "make-queue", make_queue },
    { "remove-queue", remove_queue }, { "hostname", hostname }, { "rename-host", rename_host },
    { "group", group }, { "drop-groups", drop_groups }, { "inheritable", inheritable },
    { "root", root }, { "text", text }, { "call", call }, { "i386", by_i386 },
    { "wordless", wordless }, { "exchange", exchange }, { "spin", spin },
};

int main(int count, char **words)
{
    setvbuf(stdout, NULL, _IONBF, 0);
    for (unsigned i = 0; count > 1 && i < sizeof ATTACKS / sizeof *ATTACKS; i++)
        if (!strcmp(words[1], ATTACKS[i].name))
            return ATTACKS[i].run(words + 2);
    return 2;
}
