/* Preloaded into dvt by the fault tests: does something at the n-th operation on files below a path.
 *
 *   FAULT_FILES  files whose path starts so are watched; several are parted by ':'
 *   FAULT        count (one line per operation into FAULT_LOG) | kill (SIGKILL before it) | torn (SIGKILL after half of a
 *                write) | full (this write and all later ones find no room)
 *   FAULT_AT     the operation's number, from 1
 *
 * Not part of dvt: the tests compile it and no release holds it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long seen;

static int watched(const char *path) {
    const char *list = getenv("FAULT_FILES");
    while (list && *list) {
        const char *end = strchrnul(list, ':');
        if (end > list && strncmp(path, list, (size_t)(end - list)) == 0) return 1;
        list = *end ? end + 1 : end;
    }
    return 0;
}

static void end_here(void) {
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;) pause();
}

/* 0 go on, 1 no room, 2 half of it and then the end. */
static int meet(const char *what, const char *path, int writes) {
    const char *fault = getenv("FAULT"), *at = getenv("FAULT_AT"), *log = getenv("FAULT_LOG");
    if (!fault || !watched(path)) return 0;
    long number = atomic_fetch_add(&seen, 1) + 1;
    if (strcmp(fault, "count") == 0 && log) {
        char line[4300];
        int size = snprintf(line, sizeof line, "%s %s\n", what, path);
        int file = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND, 0644);
        if (file >= 0) {
            syscall(SYS_write, file, line, (size_t)size);
            syscall(SYS_close, file);
        }
        return 0;
    }
    long wanted = at ? atol(at) : 0;
    if (strcmp(fault, "full") == 0) return writes && wanted && number >= wanted;
    if (number != wanted) return 0;
    if (strcmp(fault, "kill") == 0 || (strcmp(fault, "torn") == 0 && !writes)) end_here();
    if (strcmp(fault, "torn") == 0) return 2;
    return 0;
}

static int meet_file(const char *what, int file, int writes) {
    char link[64], path[4200];
    if (!getenv("FAULT_FILES")) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size <= 0) return 0;
    path[size] = 0;
    return meet(what, path, writes);
}

#define NEXT(type, name, ...) ((type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name))

ssize_t write(int file, const void *data, size_t size) {
    switch (meet_file("write", file, 1)) {
    case 1: errno = ENOSPC; return -1;
    case 2: syscall(SYS_write, file, data, size / 2); end_here();
    }
    return syscall(SYS_write, file, data, size);
}

static ssize_t write_at(int file, const void *data, size_t size, off_t place) {
    switch (meet_file("write", file, 1)) {
    case 1: errno = ENOSPC; return -1;
    case 2: syscall(SYS_pwrite64, file, data, size / 2, place); end_here();
    }
    return syscall(SYS_pwrite64, file, data, size, place);
}
ssize_t pwrite(int file, const void *data, size_t size, off_t place) { return write_at(file, data, size, place); }
ssize_t pwrite64(int file, const void *data, size_t size, off_t place) { return write_at(file, data, size, place); }

ssize_t writev(int file, const struct iovec *parts, int count) {
    switch (meet_file("write", file, 1)) {
    case 1: errno = ENOSPC; return -1;
    case 2: end_here();
    }
    return syscall(SYS_writev, file, parts, count);
}

static int cut_to(int file, off_t size) {
    if (meet_file("truncate", file, 0) == 1) { errno = ENOSPC; return -1; }
    return (int)syscall(SYS_ftruncate, file, size);
}
int ftruncate(int file, off_t size) { return cut_to(file, size); }
int ftruncate64(int file, off_t size) { return cut_to(file, size); }

static int reserve(int file, off_t from, off_t size) {
    if (meet_file("allocate", file, 1)) return ENOSPC;
    return NEXT(int, "posix_fallocate", int, off_t, off_t)(file, from, size);
}
int posix_fallocate(int file, off_t from, off_t size) { return reserve(file, from, size); }
int posix_fallocate64(int file, off_t from, off_t size) { return reserve(file, from, size); }

int fsync(int file) { meet_file("sync", file, 0); return (int)syscall(SYS_fsync, file); }
int fdatasync(int file) { meet_file("sync", file, 0); return (int)syscall(SYS_fdatasync, file); }

int unlink(const char *path) { meet("remove", path, 0); return NEXT(int, "unlink", const char *)(path); }
int remove(const char *path) { meet("remove", path, 0); return NEXT(int, "remove", const char *)(path); }
int rename(const char *from, const char *to) { meet("rename", to, 0); return NEXT(int, "rename", const char *, const char *)(from, to); }
