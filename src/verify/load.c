/* Files, read whole into memory of their own: a file that changes or shrinks meanwhile harms
 * nothing. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "verify/inside.h"

#include "base/banned.h"

static bool refuse_errno(struct entente_why *why)
{
    char words[128];

    return refuse(why, "%s", strerror_r(errno, words, sizeof(words)));
}

static bool read_whole(int file, uint8_t *room, size_t bytes, size_t *count,
                       struct entente_why *why)
{
    *count = 0;
    while (*count < bytes) {
        ssize_t got = read(file, room + *count, bytes - *count);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return refuse_errno(why);
        if (got == 0)
            break;
        *count += (size_t)got;
    }
    return true;
}

static bool load_open(int file, size_t most, struct loaded *out, struct entente_why *why)
{
    struct stat about;
    void *room;

    if (fstat(file, &about) != 0)
        return refuse_errno(why);
    if (!S_ISREG(about.st_mode))
        return refuse(why, "is no file");
    if ((uint64_t)about.st_size > most)
        return refuse(why, "%llu bytes, over %zu", (unsigned long long)about.st_size, most);
    if (about.st_size == 0)
        return true;
    room = mmap(NULL, (size_t)about.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                -1, 0);
    if (room == MAP_FAILED)
        return refuse_errno(why);
    out->mapped_bytes = (size_t)about.st_size;
    out->bytes.at = room;
    return read_whole(file, room, out->mapped_bytes, &out->bytes.count, why);
}

bool load_file(int folder, const char *path, size_t most, struct loaded *out,
               struct entente_why *why)
{
    int file = openat(folder, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool is_loaded;

    *out = (struct loaded){.bytes = {(const uint8_t *)"", 0}};
    if (file < 0)
        return refuse_errno(why);
    is_loaded = load_open(file, most, out, why);
    (void)close(file);
    return is_loaded;
}

bool load_named(int folder, const char *path, size_t most, struct loaded *out,
                struct entente_why *why)
{
    return load_file(folder, path, most, out, why) || refuse_within(why, "%s", path);
}

void loaded_free(struct loaded *loaded)
{
    if (loaded->mapped_bytes > 0)
        (void)munmap((void *)(uintptr_t)loaded->bytes.at, loaded->mapped_bytes);
    *loaded = (struct loaded){0};
}
