/* Preloaded into a server: while a file named by FAILING_SYNC is there, a sync of what it names fails. It
   holds a part of a path, or "directory". */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int fails(int fd) {
    char wanted[256], link[64], path[4096];
    struct stat status;
    const char *name = getenv("FAILING_SYNC");
    FILE *file = name ? fopen(name, "r") : NULL;
    if (!file)
        return 0;
    size_t len = fread(wanted, 1, sizeof wanted - 1, file);
    wanted[len] = 0;
    fclose(file);
    if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode))
        return strcmp(wanted, "directory") == 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t end = readlink(link, path, sizeof path - 1);
    if (len == 0 || end < 0)
        return 0;
    path[end] = 0;
    return strstr(path, wanted) != NULL;
}

static int sync_as(const char *name, int fd) {
    if (fails(fd)) {
        errno = EIO;
        return -1;
    }
    return ((int (*)(int))dlsym(RTLD_NEXT, name))(fd);
}

int fsync(int fd) { return sync_as("fsync", fd); }
int fdatasync(int fd) { return sync_as("fdatasync", fd); }
