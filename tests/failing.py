"""A disk that fails: a library put before the C library makes calls about the files of one folder fail from the n-th on.

What fails: `write` (also making, renaming and growing files), `read`, or `map`: then the last page of a mapped file is gone, as on a bad sector.
"""

from __future__ import annotations

import errno
import subprocess
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import NamedTuple

from analyzer.accelerate.build import linker

SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static long seen;

static int in_folder(const char *path) {
    const char *folder = getenv("FAILING_FOLDER");
    return folder && path && strncmp(path, folder, strlen(folder)) == 0;
}

static int of_file(int fd) {
    char name[64], path[PATH_MAX];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(name, path, sizeof path - 1);
    if (size < 0) return 0;
    path[size] = 0;
    return in_folder(path);
}

/* Does this call fail? A call of this kind about such a file is counted. */
static int fails(const char *kind, int concerned) {
    const char *what = getenv("FAILING_CALL");
    if (!concerned || !what || strcmp(what, kind)) return 0;
    if (++seen < atol(getenv("FAILING_FROM"))) return 0;
    errno = atoi(getenv("FAILING_ERRNO"));
    return 1;
}

__attribute__((destructor)) static void tell(void) {
    const char *path = getenv("FAILING_COUNT");
    FILE *file = path ? fopen(path, "w") : NULL;
    if (file) { fprintf(file, "%ld", seen); fclose(file); }
}

/* As a command ends: without what is called at the end of a process. */
__attribute__((noreturn)) void _exit(int status) { tell(); for (;;) syscall(SYS_exit_group, status); }

#define REAL(name) ((__typeof__(&name)) dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *data, size_t size) { return fails("write", of_file(fd)) ? -1 : REAL(write)(fd, data, size); }
ssize_t writev(int fd, const struct iovec *parts, int count) { return fails("write", of_file(fd)) ? -1 : REAL(writev)(fd, parts, count); }
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { return fails("write", of_file(fd)) ? -1 : REAL(pwrite)(fd, data, size, at); }
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) { return fails("write", of_file(fd)) ? -1 : REAL(pwrite64)(fd, data, size, at); }
int ftruncate(int fd, off_t size) { return fails("write", of_file(fd)) ? -1 : REAL(ftruncate)(fd, size); }
int ftruncate64(int fd, off64_t size) { return fails("write", of_file(fd)) ? -1 : REAL(ftruncate64)(fd, size); }
int fsync(int fd) { return fails("write", of_file(fd)) ? -1 : REAL(fsync)(fd); }
int rename(const char *from, const char *to) { return fails("write", in_folder(to)) ? -1 : REAL(rename)(from, to); }
int mkdir(const char *path, mode_t mode) { return fails("write", in_folder(path)) ? -1 : REAL(mkdir)(path, mode); }
ssize_t read(int fd, void *data, size_t size) { return fails("read", of_file(fd)) ? -1 : REAL(read)(fd, data, size); }
ssize_t readv(int fd, const struct iovec *parts, int count) { return fails("read", of_file(fd)) ? -1 : REAL(readv)(fd, parts, count); }
ssize_t pread(int fd, void *data, size_t size, off_t at) { return fails("read", of_file(fd)) ? -1 : REAL(pread)(fd, data, size, at); }
ssize_t pread64(int fd, void *data, size_t size, off64_t at) { return fails("read", of_file(fd)) ? -1 : REAL(pread64)(fd, data, size, at); }

static int opened(const char *path, int flags) { return fails("write", (flags & O_CREAT) && in_folder(path)); }

int open(const char *path, int flags, ...) {
    va_list more; va_start(more, flags); mode_t mode = va_arg(more, mode_t); va_end(more);
    return opened(path, flags) ? -1 : REAL(open)(path, flags, mode);
}
int open64(const char *path, int flags, ...) {
    va_list more; va_start(more, flags); mode_t mode = va_arg(more, mode_t); va_end(more);
    return opened(path, flags) ? -1 : REAL(open64)(path, flags, mode);
}

/* Of a mapped file the last pages are gone: they are laid over by those of an empty one. */
static void *mapped(void *found, size_t size, int fd) {
    long page = sysconf(_SC_PAGESIZE);
    if (found == MAP_FAILED || fd < 0 || !fails("map", of_file(fd))) return found;
    int empty = memfd_create("empty", 0);
    size_t whole = (size + page - 1) / page * page, kept = whole / 2 / page * page;
    REAL(mmap)((char *) found + kept, whole - kept, PROT_READ, MAP_PRIVATE | MAP_FIXED, empty, 0);
    close(empty);
    return found;
}
void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset) {
    return mapped(REAL(mmap)(at, size, protection, flags, fd, offset), size, fd);
}
void *mmap64(void *at, size_t size, int protection, int flags, int fd, off64_t offset) {
    return mapped(REAL(mmap64)(at, size, protection, flags, fd, offset), size, fd);
}
"""
ENDLESS = 1 << 40


class Failure(NamedTuple):
    """Which calls fail, and how."""

    call: str
    number: int

    @property
    def name(self) -> str:
        """For people."""
        return f"{errno.errorcode[self.number]} on {self.call}"


FAILURES = (
    Failure("write", errno.ENOSPC),
    Failure("write", errno.EIO),
    Failure("read", errno.EIO),
    Failure("map", errno.EIO),
)


@cache
def library() -> Path:
    """The library, compiled once."""
    folder = Path(mkdtemp(prefix="tcpcap-failing-"))
    (folder / "failing.c").write_text(SOURCE)
    target = folder / "failing.so"
    command = [*linker(), "-shared", "-fPIC", "-O1", "-o", str(target), str(folder / "failing.c"), "-ldl"]
    subprocess.run(command, check=True, capture_output=True)
    return target


def variables(failure: Failure, folder: Path, first: int, count: Path) -> dict[str, str]:
    """The environment of a process whose calls about files in `folder` fail from the `first` on; how many there were is written to `count`."""
    return {
        "LD_PRELOAD": str(library()),
        "FAILING_FOLDER": str(folder),
        "FAILING_CALL": failure.call,
        "FAILING_ERRNO": str(failure.number),
        "FAILING_FROM": str(first),
        "FAILING_COUNT": str(count),
    }
