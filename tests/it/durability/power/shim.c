/* Records what a process does to the files below one directory, for replaying a loss of power.
 *
 * Preloaded into the server by the test beside this file. POWER_DIR is the directory, POWER_LOG
 * the file that the records are appended to. A record is one byte for its kind, then three
 * little-endian 64-bit numbers, then as many bytes as the third of them says:
 *
 *   kind             first            second          bytes
 *   S  a start       -                -               -
 *   O  open          handle           1 if created    path
 *   W  write         handle           offset          what was written
 *   T  truncate      handle           length          -
 *   B  sync begins   handle           number          -
 *   E  sync is over  handle           number          -
 *   R  rename        length of old    -               old path, new path
 *   U  unlink        -                -               path
 *   M  mkdir         -                -               path
 *   X  anything that this file does not understand: its name
 *
 * A record of a write is appended under the same lock as the write itself, so that the order of
 * the records is an order in which things happened. sync_file_range is passed on and not
 * recorded: it promises nothing about a loss of power.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILES 4096

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char directory[PATH_MAX];
static size_t directory_length;
static int log_fd = -1;
static uint64_t next_handle = 1, next_sync = 1;
static uint64_t handles[FILES]; /* by descriptor; 0 is none of ours */

static void fail(const char *what) {
  fprintf(stderr, "power shim: %s: %s\n", what, strerror(errno));
  _exit(99);
}

static void put(const void *bytes, size_t count) {
  const char *next = bytes;
  while (count > 0) {
    ssize_t written = syscall(SYS_write, log_fd, next, count);
    if (written < 0) fail("the log");
    next += written;
    count -= (size_t)written;
  }
}

static void record2(char kind, uint64_t first, uint64_t second, const void *bytes, size_t count,
                    const void *more, size_t more_count) {
  size_t total = 25 + count + more_count;
  char *whole = malloc(total);
  uint64_t length = count + more_count;
  if (whole == NULL) fail("memory");
  whole[0] = kind;
  memcpy(whole + 1, &first, 8);
  memcpy(whole + 9, &second, 8);
  memcpy(whole + 17, &length, 8);
  memcpy(whole + 25, bytes, count);
  memcpy(whole + 25 + count, more, more_count);
  put(whole, total);
  free(whole);
}

static void record(char kind, uint64_t first, uint64_t second, const void *bytes, size_t count) {
  record2(kind, first, second, bytes, count, "", 0);
}

static void unknown(const char *what) {
  pthread_mutex_lock(&lock);
  record('X', 0, 0, what, strlen(what));
  pthread_mutex_unlock(&lock);
}

__attribute__((constructor)) static void begin(void) {
  const char *where = getenv("POWER_DIR"), *log = getenv("POWER_LOG");
  if (where == NULL || log == NULL) return;
  directory_length = strlen(where);
  memcpy(directory, where, directory_length + 1);
  log_fd = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (log_fd < 0) fail(log);
  record('S', 0, 0, "", 0);
}

/* The path below the directory, or null. */
static const char *below(const char *path, char *space) {
  size_t length = 0;
  if (log_fd < 0) return NULL;
  if (path[0] != '/') {
    if (getcwd(space, PATH_MAX) == NULL) return NULL;
    length = strlen(space);
    space[length++] = '/';
  }
  if (strncmp(path, "./", 2) == 0) path += 2;
  if (strcmp(path, ".") == 0 && length > 0) {
    path = "";
    length--;
  }
  if (length + strlen(path) >= PATH_MAX) return NULL;
  strcpy(space + length, path);
  if (strncmp(space, directory, directory_length) != 0) return NULL;
  if (space[directory_length] == 0) return "";
  return space[directory_length] == '/' ? space + directory_length + 1 : NULL;
}

static uint64_t handle_of(int fd) { return fd >= 0 && fd < FILES ? handles[fd] : 0; }

#define REAL(type, name, ...) \
  static type (*real)(__VA_ARGS__); \
  if (real == NULL) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

static int opened(int dir, const char *path, int flags, mode_t mode) {
  char space[PATH_MAX];
  const char *name = dir == AT_FDCWD || path[0] == '/' ? below(path, space) : NULL;
  if (name == NULL) return (int)syscall(SYS_openat, dir, path, flags, mode);
  pthread_mutex_lock(&lock);
  struct stat before;
  int there = stat(path, &before) == 0;
  int fd = (int)syscall(SYS_openat, dir, path, flags, mode);
  if (fd >= FILES) fail("too many files");
  if (fd >= 0) {
    handles[fd] = next_handle++;
    record('O', handles[fd], !there, name, strlen(name));
    if (there && (flags & O_TRUNC) != 0 && (flags & O_ACCMODE) != O_RDONLY)
      record('T', handles[fd], 0, "", 0);
  }
  pthread_mutex_unlock(&lock);
  return fd;
}

#define MODE(flags) \
  mode_t mode = 0; \
  if ((flags & (O_CREAT | O_TMPFILE)) != 0) { \
    va_list rest; \
    va_start(rest, flags); \
    mode = va_arg(rest, mode_t); \
    va_end(rest); \
  }

int open(const char *path, int flags, ...) { MODE(flags) return opened(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return opened(AT_FDCWD, path, flags, mode); }
int openat(int dir, const char *path, int flags, ...) { MODE(flags) return opened(dir, path, flags, mode); }
int openat64(int dir, const char *path, int flags, ...) { MODE(flags) return opened(dir, path, flags, mode); }
int creat(const char *path, mode_t mode) { return opened(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

int close(int fd) {
  REAL(int, "close", int);
  if (handle_of(fd) == 0) return real(fd);
  pthread_mutex_lock(&lock);
  handles[fd] = 0;
  int result = real(fd);
  pthread_mutex_unlock(&lock);
  return result;
}

static ssize_t written_at(int fd, const void *bytes, size_t count, int64_t offset) {
  if (handle_of(fd) == 0)
    return offset < 0 ? syscall(SYS_write, fd, bytes, count) : syscall(SYS_pwrite64, fd, bytes, count, offset);
  pthread_mutex_lock(&lock);
  int flags = fcntl(fd, F_GETFL);
  int64_t at = offset >= 0              ? offset
               : (flags & O_APPEND) != 0 ? lseek(fd, 0, SEEK_END)
                                         : lseek(fd, 0, SEEK_CUR);
  ssize_t result =
      offset < 0 ? syscall(SYS_write, fd, bytes, count) : syscall(SYS_pwrite64, fd, bytes, count, offset);
  if (result > 0) record('W', handles[fd], (uint64_t)at, bytes, (size_t)result);
  pthread_mutex_unlock(&lock);
  return result;
}

ssize_t write(int fd, const void *bytes, size_t count) { return written_at(fd, bytes, count, -1); }
ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) { return written_at(fd, bytes, count, at); }
ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) { return written_at(fd, bytes, count, at); }

ssize_t writev(int fd, const struct iovec *parts, int count) {
  REAL(ssize_t, "writev", int, const struct iovec *, int);
  if (handle_of(fd) != 0) unknown("writev");
  return real(fd, parts, count);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) {
  REAL(ssize_t, "pwritev", int, const struct iovec *, int, off_t);
  if (handle_of(fd) != 0) unknown("pwritev");
  return real(fd, parts, count, at);
}

int fallocate(int fd, int mode, off_t at, off_t length) {
  REAL(int, "fallocate", int, int, off_t, off_t);
  if (handle_of(fd) != 0) unknown("fallocate");
  return real(fd, mode, at, length);
}

ssize_t copy_file_range(int from, off64_t *from_at, int to, off64_t *to_at, size_t count, unsigned int flags) {
  REAL(ssize_t, "copy_file_range", int, off64_t *, int, off64_t *, size_t, unsigned int);
  if (handle_of(to) != 0) unknown("copy_file_range");
  return real(from, from_at, to, to_at, count, flags);
}

void *mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset) {
  if (fd >= 0 && handle_of(fd) != 0 && (flags & MAP_SHARED) != 0 && (protection & PROT_WRITE) != 0)
    unknown("mmap for writing");
  return (void *)syscall(SYS_mmap, at, length, protection, flags, fd, offset);
}
void *mmap64(void *at, size_t length, int protection, int flags, int fd, off64_t offset) {
  return mmap(at, length, protection, flags, fd, offset);
}

static int truncated(int fd, off64_t length) {
  if (handle_of(fd) == 0) return (int)syscall(SYS_ftruncate, fd, length);
  pthread_mutex_lock(&lock);
  int result = (int)syscall(SYS_ftruncate, fd, length);
  if (result == 0) record('T', handles[fd], (uint64_t)length, "", 0);
  pthread_mutex_unlock(&lock);
  return result;
}
int ftruncate(int fd, off_t length) { return truncated(fd, length); }
int ftruncate64(int fd, off64_t length) { return truncated(fd, length); }

static int synced(int fd, long call) {
  uint64_t handle = handle_of(fd), number = 0;
  if (handle != 0) {
    pthread_mutex_lock(&lock);
    number = next_sync++;
    record('B', handle, number, "", 0);
    pthread_mutex_unlock(&lock);
  }
  int result = (int)syscall(call, fd);
  if (handle != 0 && result == 0) {
    pthread_mutex_lock(&lock);
    record('E', handle, number, "", 0);
    pthread_mutex_unlock(&lock);
  }
  return result;
}
int fsync(int fd) { return synced(fd, SYS_fsync); }
int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }

static int named(char kind, const char *path, long call, mode_t mode, int has_mode) {
  char space[PATH_MAX];
  const char *name = below(path, space);
  if (name == NULL) return (int)(has_mode ? syscall(call, path, mode) : syscall(call, path));
  pthread_mutex_lock(&lock);
  int result = (int)(has_mode ? syscall(call, path, mode) : syscall(call, path));
  if (result == 0) record(kind, 0, 0, name, strlen(name));
  pthread_mutex_unlock(&lock);
  return result;
}
int unlink(const char *path) { return named('U', path, SYS_unlink, 0, 0); }
int mkdir(const char *path, mode_t mode) { return named('M', path, SYS_mkdir, mode, 1); }

int rename(const char *old, const char *new) {
  char old_space[PATH_MAX], new_space[PATH_MAX];
  const char *old_name = below(old, old_space), *new_name = below(new, new_space);
  if (old_name == NULL || new_name == NULL) return (int)syscall(SYS_rename, old, new);
  pthread_mutex_lock(&lock);
  int result = (int)syscall(SYS_rename, old, new);
  if (result == 0)
    record2('R', strlen(old_name), 0, old_name, strlen(old_name), new_name, strlen(new_name));
  pthread_mutex_unlock(&lock);
  return result;
}

int unlinkat(int dir, const char *path, int flags) {
  REAL(int, "unlinkat", int, const char *, int);
  char space[PATH_MAX];
  if (below(path, space) != NULL) unknown("unlinkat");
  return real(dir, path, flags);
}
int linkat(int old_dir, const char *old, int new_dir, const char *new, int flags) {
  REAL(int, "linkat", int, const char *, int, const char *, int);
  char space[PATH_MAX];
  if (below(new, space) != NULL) unknown("linkat");
  return real(old_dir, old, new_dir, new, flags);
}
