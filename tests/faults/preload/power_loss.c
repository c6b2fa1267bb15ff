/*
 * Writes down every change below $ZG_POWER_DIR to the file $ZG_POWER_LOG, in order, so that the
 * state after a loss of power at any moment can be built: what was not synced may be gone.
 *
 * A record: op (1 byte), path length (4), offset (8), data length (4), path, data; little-endian.
 * Ops: w write, t truncate (offset is the size), s sync, d sync of a folder, c create,
 * r rename (data is the new path), l link (likewise), u unlink.
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
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name) \
  (__extension__({ \
    if (!real_##name) real_##name = dlsym(RTLD_NEXT, #name); \
    real_##name; \
  }))
#define MAX_FDS 4096

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *paths[MAX_FDS];
static int log_fd = -1;
static const char *dir;
static size_t dir_length;

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_pwrite64)(int, const void *, size_t, off64_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static int (*real_open)(const char *, int, ...);
static int (*real_open64)(const char *, int, ...);
static int (*real_openat)(int, const char *, int, ...);
static int (*real_openat64)(int, const char *, int, ...);
static int (*real_close)(int);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_ftruncate)(int, off_t);
static int (*real_ftruncate64)(int, off64_t);
static int (*real_rename)(const char *, const char *);
static int (*real_link)(const char *, const char *);
static int (*real_linkat)(int, const char *, int, const char *, int);
static int (*real_unlink)(const char *);

static int inside(const char *path) {
  if (!dir) {
    const char *value = getenv("ZG_POWER_DIR");
    dir = value ? value : "";
    dir_length = strlen(dir);
  }
  return dir_length > 0 && path && strncmp(path, dir, dir_length) == 0;
}

static void put(const void *bytes, size_t length) {
  const char *at = bytes;
  while (length > 0) {
    ssize_t done = REAL(write)(log_fd, at, length);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) abort();
    at += done;
    length -= done;
  }
}

static void note(char op, const char *path, uint64_t offset, const void *data, uint32_t length) {
  if (log_fd < 0) {
    log_fd = REAL(open)(getenv("ZG_POWER_LOG"), O_WRONLY | O_CREAT | O_APPEND, 0600);
  }
  uint32_t path_length = strlen(path);
  char head[17];
  head[0] = op;
  memcpy(head + 1, &path_length, 4);
  memcpy(head + 5, &offset, 8);
  memcpy(head + 13, &length, 4);
  put(head, sizeof head);
  put(path, path_length);
  put(data, length);
}

static const char *path_of(int fd) {
  return fd >= 0 && fd < MAX_FDS ? paths[fd] : NULL;
}

static int opened(int fd, const char *path, int existed, int flags) {
  if (fd < 0 || fd >= MAX_FDS || !inside(path)) return fd;
  int saved = errno;
  pthread_mutex_lock(&lock);
  free(paths[fd]);
  paths[fd] = strdup(path);
  if (!existed && (flags & O_CREAT)) note('c', path, 0, "", 0);
  else if (flags & O_TRUNC) note('t', path, 0, "", 0);
  pthread_mutex_unlock(&lock);
  errno = saved;
  return fd;
}

static int exists(const char *path) {
  struct stat st;
  return inside(path) && lstat(path, &st) == 0;
}

#define MODE(flags) \
  mode_t mode = 0; \
  if (flags & (O_CREAT | __O_TMPFILE)) { \
    va_list list; \
    va_start(list, flags); \
    mode = va_arg(list, mode_t); \
    va_end(list); \
  } \
  int existed = exists(path)

int open(const char *path, int flags, ...) {
  MODE(flags);
  return opened(REAL(open)(path, flags, mode), path, existed, flags);
}

int open64(const char *path, int flags, ...) {
  MODE(flags);
  return opened(REAL(open64)(path, flags, mode), path, existed, flags);
}

int openat(int at, const char *path, int flags, ...) {
  MODE(flags);
  return opened(REAL(openat)(at, path, flags, mode), path, existed, flags);
}

int openat64(int at, const char *path, int flags, ...) {
  MODE(flags);
  return opened(REAL(openat64)(at, path, flags, mode), path, existed, flags);
}

int close(int fd) {
  if (path_of(fd)) {
    pthread_mutex_lock(&lock);
    free(paths[fd]);
    paths[fd] = NULL;
    pthread_mutex_unlock(&lock);
  }
  return REAL(close)(fd);
}

static uint64_t position(int fd) {
  struct stat st;
  if ((fcntl(fd, F_GETFL) & O_APPEND) && fstat(fd, &st) == 0) return st.st_size;
  return lseek(fd, 0, SEEK_CUR);
}

#define LOGGED(path, offset, data, call) \
  pthread_mutex_lock(&lock); \
  uint64_t where = offset; \
  ssize_t done = call; \
  int saved = errno; \
  if (done > 0) note('w', path, where, data, done); \
  pthread_mutex_unlock(&lock); \
  errno = saved; \
  return done

ssize_t write(int fd, const void *data, size_t length) {
  const char *path = path_of(fd);
  if (!path) return REAL(write)(fd, data, length);
  LOGGED(path, position(fd), data, REAL(write)(fd, data, length));
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) {
  const char *path = path_of(fd);
  if (!path) return REAL(pwrite)(fd, data, length, offset);
  LOGGED(path, offset, data, REAL(pwrite)(fd, data, length, offset));
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) {
  const char *path = path_of(fd);
  if (!path) return REAL(pwrite64)(fd, data, length, offset);
  LOGGED(path, offset, data, REAL(pwrite64)(fd, data, length, offset));
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  if (!path_of(fd)) return REAL(writev)(fd, parts, count);
  return write(fd, parts[0].iov_base, parts[0].iov_len);
}

static int synced(int fd, int result) {
  const char *path = path_of(fd);
  if (!path || result != 0) return result;
  struct stat st;
  int folder = fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
  pthread_mutex_lock(&lock);
  note(folder ? 'd' : 's', path, 0, "", 0);
  pthread_mutex_unlock(&lock);
  return result;
}

int fsync(int fd) {
  return synced(fd, REAL(fsync)(fd));
}

int fdatasync(int fd) {
  return synced(fd, REAL(fdatasync)(fd));
}

static int truncated(int fd, uint64_t size, int result) {
  const char *path = path_of(fd);
  if (!path || result != 0) return result;
  pthread_mutex_lock(&lock);
  note('t', path, size, "", 0);
  pthread_mutex_unlock(&lock);
  return result;
}

int ftruncate(int fd, off_t size) {
  return truncated(fd, size, REAL(ftruncate)(fd, size));
}

int ftruncate64(int fd, off64_t size) {
  return truncated(fd, size, REAL(ftruncate64)(fd, size));
}

static int named(char op, const char *path, const char *other, int result) {
  if (result != 0 || !inside(path)) return result;
  pthread_mutex_lock(&lock);
  note(op, path, 0, other, strlen(other));
  pthread_mutex_unlock(&lock);
  return result;
}

int rename(const char *from, const char *to) {
  return named('r', from, to, REAL(rename)(from, to));
}

int link(const char *from, const char *to) {
  return named('l', from, to, REAL(link)(from, to));
}

int linkat(int at, const char *from, int at_to, const char *to, int flags) {
  return named('l', from, to, REAL(linkat)(at, from, at_to, to, flags));
}

int unlink(const char *path) {
  return named('u', path, "", REAL(unlink)(path));
}
