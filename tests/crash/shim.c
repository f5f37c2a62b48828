/* Counts the calls that change files below given directories, and strikes at one of them.
 *
 * Preloaded into the engine; every git that the engine starts gets it too, whatever environment
 * the engine gives it. All of them share one control file, mapped: the count goes over processes.
 * `shim.py` writes the plan into that file and reads the points from it; the layouts agree.
 *
 * The calls go straight to the kernel, so nothing has to be looked up before the first of them, and
 * the few lines between vfork and exec are safe. Only stdio needs the C library's own functions.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { COUNT, KILL_ENGINE, KILL_ALL, KILL_CHILD, FAIL_ONCE, FAIL_ON, TEAR };
enum { CREATE = 1, WRITE = 2, RENAME = 4, REMOVE = 8, RESIZE = 16, MODE = 32, SYNC = 64 };
enum { NOBODY, ENGINE, ALL };
enum { ROOTS = 8, POINTS = 16384, ROOT_SIZE = 512, ONLY_SIZE = 64, CALL_SIZE = 16, BY_SIZE = 48, PATH_SIZE = 184 };

struct point {
    int32_t pid;
    int32_t kind;
    char call[CALL_SIZE], by[BY_SIZE], path[PATH_SIZE];
};

struct control {
    int32_t mode, error, kinds, reserved;
    int64_t at, count;
    int32_t engine, dead, struck, root_count;
    char only[ONLY_SIZE];
    char roots[ROOTS][ROOT_SIZE];
    struct point points[POINTS];
};

static struct control *control;
static char control_variable[PATH_MAX + 16] = "CRASH_CONTROL=";
static char preload_variable[PATH_MAX + 16] = "LD_PRELOAD=";
static char by[BY_SIZE];
static FILE *(*real_fopen)(const char *, const char *);
static int (*real_fclose)(FILE *);
static int (*real_fflush)(FILE *);

static void copy(char *to, const char *from, size_t size) {
    size_t length = strlen(from);
    if (length >= size) from += length - size + 1; /* the end of a path says most */
    strncpy(to, from, size - 1);
    to[size - 1] = 0;
}

/* Names this program: what it is, and git's command. */
static void name_program(void) {
    char line[4096];
    int file = syscall(SYS_openat, AT_FDCWD, "/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t size = file < 0 ? 0 : syscall(SYS_read, file, line, sizeof line - 1);
    if (file >= 0) syscall(SYS_close, file);
    if (size <= 0) return;
    line[size] = 0;
    char *slash = strrchr(line, '/');
    copy(by, slash ? slash + 1 : line, sizeof by);
    if (strncmp(by, "git", 3) != 0) return;
    for (char *word = line + strlen(line) + 1; word < line + size; word += strlen(word) + 1)
        if (*word != '-') {
            size_t used = strlen(by);
            snprintf(by + used, sizeof by - used, " %.20s", word);
            return;
        }
}

__attribute__((constructor)) static void begin(void) {
    real_fopen = (FILE * (*)(const char *, const char *)) dlsym(RTLD_NEXT, "fopen64");
    real_fclose = (int (*)(FILE *))dlsym(RTLD_NEXT, "fclose");
    real_fflush = (int (*)(FILE *))dlsym(RTLD_NEXT, "fflush");
    const char *place = getenv("CRASH_CONTROL"), *library = getenv("LD_PRELOAD");
    if (place == NULL || library == NULL) return;
    int file = syscall(SYS_openat, AT_FDCWD, place, O_RDWR | O_CLOEXEC);
    if (file < 0) return;
    void *mapped = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    syscall(SYS_close, file);
    if (mapped == MAP_FAILED) return;
    strncat(control_variable, place, PATH_MAX);
    strncat(preload_variable, library, PATH_MAX);
    name_program();
    control = mapped;
    int32_t nobody = 0;
    __atomic_compare_exchange_n(&control->engine, &nobody, getpid(), 0, __ATOMIC_SEQ_CST,
                                __ATOMIC_SEQ_CST);
}

/* Gives the whole path of what a call is about, or an empty one when that cannot be told. */
static void whole_path(int directory, const char *path, char *whole) {
    whole[0] = 0;
    if (path != NULL && path[0] == '/') {
        strncat(whole, path, PATH_MAX - 1);
        return;
    }
    char link[64];
    if (directory == AT_FDCWD)
        strcpy(link, "/proc/self/cwd");
    else
        snprintf(link, sizeof link, "/proc/self/fd/%d", directory);
    ssize_t size = syscall(SYS_readlinkat, AT_FDCWD, link, whole, PATH_MAX - 1);
    whole[size > 0 ? size : 0] = 0;
    if (path != NULL && whole[0] == '/') {
        strncat(whole, "/", PATH_MAX - 1 - strlen(whole));
        strncat(whole, path, PATH_MAX - 1 - strlen(whole));
    }
}

/* Takes "." and ".." out of a whole path, in place. */
static void simplify(char *path) {
    char *end = path;
    for (char *from = path; *from;) {
        while (*from == '/') from++;
        size_t size = strcspn(from, "/");
        if (size == 2 && memcmp(from, "..", 2) == 0)
            while (end > path && *--end != '/') continue;
        else if (size > 1 || (size == 1 && *from != '.')) {
            *end++ = '/';
            memmove(end, from, size);
            end += size;
        }
        from += size;
    }
    *end = 0;
}

static const char *below_root(const char *path) {
    for (int i = 0; i < control->root_count; i++) {
        size_t size = strlen(control->roots[i]);
        if (strncmp(path, control->roots[i], size) == 0 && (path[size] == '/' || !path[size]))
            return path + size;
    }
    return NULL;
}

static void die(int who) {
    __atomic_store_n(&control->dead, who, __ATOMIC_SEQ_CST);
    kill(control->engine, SIGKILL);
    if (who == ALL) kill(getpid(), SIGKILL);
}

/* Counts a call and strikes when it is the one. Returns 0: go on; an errno: fail with it; -1: tear,
 * which only a caller that can write a half is told. */
static int point(int kind, const char *call, int directory, const char *path, int can_tear) {
    if (control == NULL) return 0;
    int saved = errno, child = getpid() != control->engine;
    int dead = __atomic_load_n(&control->dead, __ATOMIC_SEQ_CST);
    if (dead == ALL || (dead == ENGINE && !child)) kill(getpid(), SIGKILL);
    if (!(control->kinds & kind) || (control->mode == KILL_CHILD && !child)) return 0;
    char whole[PATH_MAX];
    whole_path(directory, path, whole);
    if (whole[0] == '/') simplify(whole);
    const char *shown = below_root(whole);
    errno = saved;
    if (shown == NULL || strstr(shown, control->only) == NULL) return 0;
    int64_t number = __atomic_add_fetch(&control->count, 1, __ATOMIC_SEQ_CST);
    if (number <= POINTS) {
        struct point *entry = &control->points[number - 1];
        entry->pid = getpid();
        entry->kind = kind;
        copy(entry->call, call, CALL_SIZE);
        copy(entry->by, by, BY_SIZE);
        copy(entry->path, shown, PATH_SIZE);
    }
    errno = saved;
    if (control->at == 0 || number < control->at) return 0;
    if (number > control->at && control->mode != FAIL_ON) return 0;
    control->struck = 1;
    switch (control->mode) {
    case KILL_ENGINE: die(ENGINE); break;
    case KILL_ALL: die(ALL); break;
    case KILL_CHILD: kill(getpid(), SIGKILL); break;
    case FAIL_ONCE:
    case FAIL_ON: return control->error;
    case TEAR:
        if (can_tear) return -1;
        die(ALL);
    }
    return 0;
}

#define STRIKE(kind, call, directory, path)                                                        \
    do {                                                                                           \
        int failure = point(kind, call, directory, path, 0);                                       \
        if (failure) {                                                                             \
            errno = failure;                                                                       \
            return -1;                                                                             \
        }                                                                                          \
    } while (0)

static int changes(int flags) {
    return (flags & O_TRUNC) || (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;
}

static int open_at(int directory, const char *path, int flags, mode_t mode) {
    if (changes(flags)) {
        struct stat found;
        int there = fstatat(directory, path, &found, 0) == 0;
        /* Opening what is there changes it only when it is cut. */
        if (!there || (flags & O_TRUNC)) STRIKE(CREATE, "open", directory, path);
    }
    return syscall(SYS_openat, directory, path, flags, mode);
}

#define MODE_OF(flags)                                                                             \
    mode_t mode = 0;                                                                               \
    if (flags & (O_CREAT | O_TMPFILE)) {                                                           \
        va_list rest;                                                                              \
        va_start(rest, flags);                                                                     \
        mode = va_arg(rest, mode_t);                                                               \
        va_end(rest);                                                                              \
    }

int open(const char *path, int flags, ...) {
    MODE_OF(flags)
    return open_at(AT_FDCWD, path, flags, mode);
}
int open64(const char *path, int flags, ...) {
    MODE_OF(flags)
    return open_at(AT_FDCWD, path, flags | O_LARGEFILE, mode);
}
int openat(int directory, const char *path, int flags, ...) {
    MODE_OF(flags)
    return open_at(directory, path, flags, mode);
}
int openat64(int directory, const char *path, int flags, ...) {
    MODE_OF(flags)
    return open_at(directory, path, flags | O_LARGEFILE, mode);
}
int creat(const char *path, mode_t mode) {
    return open_at(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

/* Whether a write has to be torn: it does the first half then, and everybody dies. */
#define TORN(file, size, half)                                                                     \
    do {                                                                                           \
        int failure = point(WRITE, __func__, file, NULL, (size) > 1);                              \
        if (failure == -1) {                                                                       \
            half;                                                                                  \
            die(ALL);                                                                              \
        }                                                                                          \
        if (failure) {                                                                             \
            errno = failure;                                                                       \
            return -1;                                                                             \
        }                                                                                          \
    } while (0)

ssize_t write(int file, const void *data, size_t size) {
    TORN(file, size, syscall(SYS_write, file, data, size / 2));
    return syscall(SYS_write, file, data, size);
}
ssize_t pwrite(int file, const void *data, size_t size, off_t offset) {
    TORN(file, size, syscall(SYS_pwrite64, file, data, size / 2, offset));
    return syscall(SYS_pwrite64, file, data, size, offset);
}
ssize_t pwrite64(int file, const void *data, size_t size, off64_t offset) {
    TORN(file, size, syscall(SYS_pwrite64, file, data, size / 2, offset));
    return syscall(SYS_pwrite64, file, data, size, offset);
}
ssize_t writev(int file, const struct iovec *parts, int count) {
    TORN(file, count, syscall(SYS_writev, file, parts, count / 2));
    return syscall(SYS_writev, file, parts, count);
}
ssize_t sendfile(int to, int from, off_t *offset, size_t size) {
    TORN(to, size, syscall(SYS_sendfile, to, from, offset, size / 2));
    return syscall(SYS_sendfile, to, from, offset, size);
}
ssize_t sendfile64(int to, int from, off64_t *offset, size_t size) {
    TORN(to, size, syscall(SYS_sendfile, to, from, offset, size / 2));
    return syscall(SYS_sendfile, to, from, offset, size);
}
ssize_t copy_file_range(int from, off64_t *at, int to, off64_t *offset, size_t size,
                        unsigned flags) {
    TORN(to, size, syscall(SYS_copy_file_range, from, at, to, offset, size / 2, flags));
    return syscall(SYS_copy_file_range, from, at, to, offset, size, flags);
}

/* What stdio buffers goes to the file inside the C library: the point is before it is flushed. */
FILE *fopen64(const char *path, const char *mode) {
    if (control != NULL && mode[0] != 'r') {
        int failure = point(CREATE, "fopen", AT_FDCWD, path, 0);
        if (failure) {
            errno = failure;
            return NULL;
        }
    }
    return real_fopen(path, mode);
}
FILE *fopen(const char *path, const char *mode) { return fopen64(path, mode); }
static int buffered(FILE *stream) {
    if (control == NULL || stream == NULL || (fcntl(fileno(stream), F_GETFL) & O_ACCMODE) == O_RDONLY)
        return 0;
    return point(WRITE, "flush", fileno(stream), NULL, 0);
}
int fclose(FILE *stream) {
    int failure = buffered(stream);
    int closed = real_fclose(stream);
    if (failure == 0) return closed;
    errno = failure;
    return EOF;
}
int fflush(FILE *stream) {
    int failure = buffered(stream);
    if (failure == 0) return real_fflush(stream);
    errno = failure;
    return EOF;
}

int renameat2(int from, const char *old, int to, const char *new, unsigned flags) {
    STRIKE(RENAME, "rename", to, new);
    return syscall(SYS_renameat2, from, old, to, new, flags);
}
int renameat(int from, const char *old, int to, const char *new) {
    return renameat2(from, old, to, new, 0);
}
int rename(const char *old, const char *new) {
    return renameat2(AT_FDCWD, old, AT_FDCWD, new, 0);
}
int linkat(int from, const char *old, int to, const char *new, int flags) {
    STRIKE(CREATE, "link", to, new);
    return syscall(SYS_linkat, from, old, to, new, flags);
}
int link(const char *old, const char *new) { return linkat(AT_FDCWD, old, AT_FDCWD, new, 0); }
int symlinkat(const char *target, int directory, const char *path) {
    STRIKE(CREATE, "symlink", directory, path);
    return syscall(SYS_symlinkat, target, directory, path);
}
int symlink(const char *target, const char *path) { return symlinkat(target, AT_FDCWD, path); }
int mkdirat(int directory, const char *path, mode_t mode) {
    struct stat found;
    if (fstatat(directory, path, &found, AT_SYMLINK_NOFOLLOW) != 0)
        STRIKE(CREATE, "mkdir", directory, path);
    return syscall(SYS_mkdirat, directory, path, mode);
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

int unlinkat(int directory, const char *path, int flags) {
    struct stat found;
    /* Asking to remove what is not there changes nothing. */
    if (fstatat(directory, path, &found, AT_SYMLINK_NOFOLLOW) == 0)
        STRIKE(REMOVE, flags & AT_REMOVEDIR ? "rmdir" : "unlink", directory, path);
    return syscall(SYS_unlinkat, directory, path, flags);
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }
int remove(const char *path) {
    int removed = unlink(path);
    return removed != 0 && errno == EISDIR ? rmdir(path) : removed;
}

int ftruncate(int file, off_t size) {
    STRIKE(RESIZE, "ftruncate", file, NULL);
    return syscall(SYS_ftruncate, file, size);
}
int ftruncate64(int file, off64_t size) { return ftruncate(file, size); }
int truncate(const char *path, off_t size) {
    STRIKE(RESIZE, "truncate", AT_FDCWD, path);
    return syscall(SYS_truncate, path, size);
}
int truncate64(const char *path, off64_t size) { return truncate(path, size); }
int fallocate(int file, int mode, off_t offset, off_t size) {
    STRIKE(RESIZE, "fallocate", file, NULL);
    return syscall(SYS_fallocate, file, mode, offset, size);
}
int fallocate64(int file, int mode, off64_t offset, off64_t size) {
    return fallocate(file, mode, offset, size);
}
int posix_fallocate(int file, off_t offset, off_t size) {
    return fallocate(file, 0, offset, size) == 0 ? 0 : errno;
}
int posix_fallocate64(int file, off64_t offset, off64_t size) {
    return posix_fallocate(file, offset, size);
}

int fchmodat(int directory, const char *path, mode_t mode, int flags) {
    STRIKE(MODE, "chmod", directory, path);
    (void)flags;
    return syscall(SYS_fchmodat, directory, path, mode);
}
int chmod(const char *path, mode_t mode) { return fchmodat(AT_FDCWD, path, mode, 0); }
int fchmod(int file, mode_t mode) {
    STRIKE(MODE, "chmod", file, NULL);
    return syscall(SYS_fchmod, file, mode);
}

int fsync(int file) {
    STRIKE(SYNC, "fsync", file, NULL);
    return syscall(SYS_fsync, file);
}
int fdatasync(int file) {
    STRIKE(SYNC, "fsync", file, NULL);
    return syscall(SYS_fdatasync, file);
}

/* A git gets the shim whatever its environment is; nothing else that the engine starts does. */
int execve(const char *path, char *const argv[], char *const envp[]) {
    const char *slash = strrchr(path, '/');
    size_t count = 0;
    int given = 0;
    for (; envp != NULL && envp[count] != NULL; count++)
        given |= strncmp(envp[count], "LD_PRELOAD=", 11) == 0;
    if (control == NULL || given || strncmp(slash ? slash + 1 : path, "git", 3) != 0)
        return syscall(SYS_execve, path, argv, envp);
    char *with[count + 3]; /* on the stack: this may be a child that shares our memory */
    memcpy(with, envp, count * sizeof *with);
    with[count] = preload_variable;
    with[count + 1] = control_variable;
    with[count + 2] = NULL;
    return syscall(SYS_execve, path, argv, with);
}
