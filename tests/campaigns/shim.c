/* A memory card that can fail: preloaded into a node, it acts on the files below one directory and on nothing else.
 *
 * SHIM_DIRECTORY  the files below it are meant, but for SQLite's -shm, which is memory and no file
 * SHIM_CONTROL    a file whose first byte is read at each call: 0 well, 1 full, 2 read-only, 3 stalled
 * SHIM_SYNCED     where it is set: what a power cut would leave. Each file's content as of its last completed sync, named
 *                 by the file's identity; and "entries", the names in the directory as of its own last sync.
 */

#define _GNU_SOURCE
#include <dirent.h>
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
#include <unistd.h>

enum { WELL, FULL, READ_ONLY, STALLED };

static const char *directory, *synced;
static volatile unsigned char *control;

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("SHIM_CONTROL");
    directory = getenv("SHIM_DIRECTORY");
    synced = getenv("SHIM_SYNCED");
    int fd = path ? open(path, O_RDONLY) : -1;
    void *mapped = fd < 0 ? MAP_FAILED : mmap(NULL, 1, PROT_READ, MAP_SHARED, fd, 0);
    if (fd >= 0) close(fd);
    if (mapped == MAP_FAILED || !directory) abort();
    control = mapped;
}

static int is_meant(const char *path)
{
    size_t length = strlen(directory), whole = strlen(path);
    if (strncmp(path, directory, length) || (path[length] && path[length] != '/')) return 0;
    return whole < 4 || strcmp(path + whole - 4, "-shm");
}

/* The path of an open file that is meant, in `path`. */
static int is_ours(int fd, char path[PATH_MAX])
{
    char link[40];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return is_meant(path);
}

static int fault_of(int fd)
{
    char path[PATH_MAX];
    return *control && is_ours(fd, path) ? *control : WELL;
}

/* Wait out a stall; the error of a card that takes nothing, 0 of one that does. */
static int refusal(int fd)
{
    int fault = fault_of(fd);
    if (fault == STALLED)
        while (*control == STALLED) usleep(5000);
    return fault == FULL ? ENOSPC : fault == READ_ONLY ? EROFS : 0;
}

#define REFUSE(fd) do { int error = refusal(fd); if (error) { errno = error; return -1; } } while (0)

ssize_t write(int fd, const void *bytes, size_t count)
{
    REAL(ssize_t, "write", int, const void *, size_t);
    REFUSE(fd);
    return real(fd, bytes, count);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at)
{
    REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);
    REFUSE(fd);
    return real(fd, bytes, count, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at)
{
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
    REFUSE(fd);
    return real(fd, bytes, count, at);
}

int ftruncate(int fd, off_t length)
{
    REAL(int, "ftruncate", int, off_t);
    REFUSE(fd);
    return real(fd, length);
}

int ftruncate64(int fd, off64_t length)
{
    REAL(int, "ftruncate64", int, off64_t);
    REFUSE(fd);
    return real(fd, length);
}

int fallocate(int fd, int mode, off_t at, off_t length)
{
    REAL(int, "fallocate", int, int, off_t, off_t);
    REFUSE(fd);
    return real(fd, mode, at, length);
}

static int opened(int (*real)(const char *, int, ...), const char *path, int flags, mode_t mode)
{
    char whole[PATH_MAX];
    int writes = (flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT);
    if (writes && *control == READ_ONLY && is_meant(path[0] == '/' ? path : realpath(path, whole) ? whole : "")) {
        errno = EROFS;
        return -1;
    }
    return real(path, flags, mode);
}

#define MODE(flags, mode) \
    mode_t mode = 0; \
    if (flags & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, int); va_end(rest); }

int open(const char *path, int flags, ...)
{
    MODE(flags, mode)
    REAL(int, "open", const char *, int, ...);
    return control ? opened(real, path, flags, mode) : real(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    MODE(flags, mode)
    REAL(int, "open64", const char *, int, ...);
    return control ? opened(real, path, flags, mode) : real(path, flags, mode);
}

int unlink(const char *path)
{
    REAL(int, "unlink", const char *);
    if (*control == READ_ONLY && is_meant(path)) { errno = EROFS; return -1; }
    return real(path);
}

int rename(const char *from, const char *to)
{
    REAL(int, "rename", const char *, const char *);
    if (*control == READ_ONLY && is_meant(to)) { errno = EROFS; return -1; }
    return real(from, to);
}

/* What stays the same when a file is renamed, and differs for a later file in the same inode. */
static void identity(const char *path, char name[64])
{
    struct statx found;
    memset(&found, 0, sizeof found);
    statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_INO | STATX_BTIME, &found);
    snprintf(name, 64, "%llu-%lld.%u", (unsigned long long)found.stx_ino, (long long)found.stx_btime.tv_sec,
        found.stx_btime.tv_nsec);
}

static FILE *draft(char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/draft-%d", synced, gettid());
    return fopen(path, "w");
}

static void publish(FILE *file, const char *from, const char *name)
{
    char path[PATH_MAX];
    fclose(file);
    snprintf(path, sizeof path, "%s/%s", synced, name);
    rename(from, path);
}

static void keep_entries(const char *path)
{
    char name[64], from[PATH_MAX], whole[PATH_MAX + 257];
    FILE *file = draft(from);
    DIR *opened = opendir(path);
    if (file && opened)
        for (struct dirent *entry; (entry = readdir(opened));) {
            snprintf(whole, sizeof whole, "%s/%s", path, entry->d_name);
            if (entry->d_name[0] == '.' || !is_meant(whole)) continue;
            identity(whole, name);
            fprintf(file, "%s %s\n", name, entry->d_name);
        }
    if (opened) closedir(opened);
    if (file) publish(file, from, "entries");
}

static void keep_content(int fd)
{
    char name[64], from[PATH_MAX], link[40], bytes[65536];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    int again = open(link, O_RDONLY | O_CLOEXEC);
    FILE *file = draft(from);
    if (again >= 0 && file) {
        char path[PATH_MAX];
        is_ours(fd, path);
        identity(path, name);
        for (ssize_t count; (count = read(again, bytes, sizeof bytes)) > 0;) fwrite(bytes, 1, count, file);
    }
    if (again >= 0) close(again);
    if (file) publish(file, from, name);
}

static int kept(int fd, int done)
{
    char path[PATH_MAX];
    struct stat found;
    if (done || !synced || !is_ours(fd, path) || fstat(fd, &found)) return done;
    if (S_ISDIR(found.st_mode)) keep_entries(path);
    else keep_content(fd);
    return done;
}

int fsync(int fd)
{
    REAL(int, "fsync", int);
    if (refusal(fd) == EROFS) { errno = EROFS; return -1; }
    return kept(fd, real(fd));
}

int fdatasync(int fd)
{
    REAL(int, "fdatasync", int);
    if (refusal(fd) == EROFS) { errno = EROFS; return -1; }
    return kept(fd, real(fd));
}
