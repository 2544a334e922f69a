#include "scan/retro_list.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "scan/retro_file.h"

#include "base/banned.h"

static const struct dirent *item_next(DIR *listing)
{
    /* The listing is its caller's own, and readdir_r is no better. */
    /* cppcheck-suppress readdirCalled */
    return readdir(listing); /* NOLINT(concurrency-mt-unsafe) */
}

static int hour_order(const void *a, const void *b)
{
    const struct retro_hour *x = a, *y = b;

    return x->hour < y->hour ? -1 : x->hour > y->hour;
}

static size_t names_count(DIR *listing)
{
    size_t count = 0;

    while (item_next(listing) != NULL)
        count++;
    rewinddir(listing);
    return count;
}

static void hours_read(DIR *listing, struct retro_hour *hours, size_t room, size_t *count)
{
    for (const struct dirent *item; *count < room && (item = item_next(listing)) != NULL;) {
        struct stat stat;
        int64_t hour;

        if (!retro_name_read(slice_text(item->d_name), &hour) ||
            fstatat(dirfd(listing), item->d_name, &stat, AT_SYMLINK_NOFOLLOW) != 0 ||
            !S_ISREG(stat.st_mode))
            continue;
        hours[(*count)++] = (struct retro_hour){hour, (uint64_t)stat.st_size};
    }
}

result retro_list(const char *folder, struct arena *arena, struct retro_hour **out, size_t *count,
                  struct diag *diag)
{
    DIR *listing = opendir(folder);

    *out = NULL;
    *count = 0;
    if (listing == NULL)
        return errno == ENOENT ? OK : diag_errno(diag, errno, "%s", folder);
    size_t room = names_count(listing);
    if (room <= RETRO_HOURS_MAX)
        *out = arena_new(arena, struct retro_hour, room + 1);
    if (*out != NULL)
        hours_read(listing, *out, room, count);
    (void)closedir(listing);
    if (*out == NULL)
        return diag_fail(diag, ERR_LIMIT, "%s: holds more than %d files", folder, RETRO_HOURS_MAX);
    qsort(*out, *count, sizeof(**out), hour_order);
    return OK;
}

result retro_keep_share(const char *folder, uint64_t share_bytes, struct diag *diag)
{
    CLEANUP(arena_free) struct arena arena = ARENA((size_t)64 << 20);
    struct retro_hour *hours;
    size_t count;
    uint64_t bytes = 0;

    TRY(retro_list(folder, &arena, &hours, &count, diag));
    for (size_t i = 0; i < count; i++)
        bytes += hours[i].bytes;
    for (size_t i = 0; i + 1 < count && bytes > share_bytes; i++) {
        char name[RETRO_NAME_BYTES];
        slice path;

        retro_name(hours[i].hour, name);
        path = arena_printf(&arena, "%s/%s%c", folder, name, '\0');
        if (path.at == NULL || unlink(path.at) != 0)
            return diag_errno(diag, errno, "%s/%s: cannot be removed", folder, name);
        bytes -= hours[i].bytes;
        log_event(LOG_LEVEL_WARN, "retro.dropped", "hour=%s bytes=%llu share=%llu", name,
                  (unsigned long long)hours[i].bytes, (unsigned long long)share_bytes);
    }
    return OK;
}

void retro_sweep(const char *folder)
{
    DIR *listing = opendir(folder);

    if (listing == NULL)
        return;
    for (const struct dirent *item; (item = item_next(listing)) != NULL;)
        if (slice_ends(slice_text(item->d_name), SLICE(".tmp")))
            (void)unlinkat(dirfd(listing), item->d_name, 0); /* a later one may succeed */
    (void)closedir(listing);
}
