/* The $ZG_FSYNC_AFTER-th sync of a file below $ZG_FSYNC_DIR fails once, with EIO. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_int count;

static int fails(int fd) {
  const char *dir = getenv("ZG_FSYNC_DIR");
  const char *after = getenv("ZG_FSYNC_AFTER");
  if (!dir || !after) return 0;
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  if (strncmp(path, dir, strlen(dir)) != 0) return 0;
  return atomic_fetch_add(&count, 1) + 1 == atoi(after);
}

int fsync(int fd) {
  static int (*real)(int);
  if (!real) real = dlsym(RTLD_NEXT, "fsync");
  if (!fails(fd)) return real(fd);
  errno = EIO;
  return -1;
}

int fdatasync(int fd) {
  static int (*real)(int);
  if (!real) real = dlsym(RTLD_NEXT, "fdatasync");
  if (!fails(fd)) return real(fd);
  errno = EIO;
  return -1;
}
