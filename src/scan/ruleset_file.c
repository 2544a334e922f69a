/* A ruleset as a file: a head, then its sections as they are (docs/FORMATS.md). */
#include "scan/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "store/hash.h"

#include "base/banned.h"

#define FILE_MAGIC 0x31454C5552544E45u /* "ENTRULE1", little-endian */
#define FILE_FORMAT 1u
#define FILE_ALIGN 64u

struct file_head {
    uint64_t magic;
    uint32_t format, byte_order; /* byte_order: 1, as this machine writes it */
    uint64_t seed;
    uint64_t counts[SECTION_COUNT], offsets[SECTION_COUNT], element_bytes[SECTION_COUNT];
    uint64_t checksum; /* of all sections */
    uint64_t file_bytes;
    struct rules_counts rules;
    uint64_t head_checksum; /* of what stands before it */
};

static size_t aligned(size_t bytes)
{
    return (bytes + FILE_ALIGN - 1) & ~(size_t)(FILE_ALIGN - 1);
}

static uint64_t head_sum(const struct file_head *head)
{
    return store_hash64(slice_of(head, offsetof(struct file_head, head_checksum)), FILE_FORMAT);
}

static void head_fill(const struct ruleset *set, struct file_head *head)
{
    size_t at = aligned(sizeof(*head));

    memset(head, 0, sizeof(*head));
    head->magic = FILE_MAGIC;
    head->format = FILE_FORMAT;
    head->byte_order = 1;
    head->seed = set->seed;
    head->rules = set->counts;
    for (size_t i = 0; i < SECTION_COUNT; i++) {
        size_t bytes = set->count[i] * section_element_bytes[i];

        head->counts[i] = set->count[i];
        head->offsets[i] = at;
        head->element_bytes[i] = section_element_bytes[i];
        head->checksum = store_hash64(slice_of(set->at[i], bytes), head->checksum);
        at += aligned(bytes);
    }
    head->file_bytes = at;
    head->head_checksum = head_sum(head);
}

static bool put_at(int file, const void *bytes, size_t count, size_t at)
{
    while (count > 0) {
        ssize_t done = FAULT_HERE() ? (errno = EIO, -1) : pwrite(file, bytes, count, (off_t)at);

        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        bytes = (const char *)bytes + done;
        at += (size_t)done;
        count -= (size_t)done;
    }
    return true;
}

static bool set_write(int file, const struct ruleset *set)
{
    struct file_head head;

    head_fill(set, &head);
    for (size_t i = 0; i < SECTION_COUNT; i++)
        if (!put_at(file, set->at[i], set->count[i] * section_element_bytes[i], head.offsets[i]))
            return false;
    return put_at(file, &head, sizeof(head), 0) && ftruncate(file, (off_t)head.file_bytes) == 0 &&
           fsync(file) == 0;
}

result ruleset_save(const struct ruleset *set, const char *path, struct diag *diag)
{
    char part[4096];
    int file, number = 0;

    if (snprintf(part, sizeof(part), "%s.part", path) >= (int)sizeof(part))
        return diag_fail(diag, ERR_INVALID, "%s: the name is too long", path);
    file = open(part, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0)
        return diag_errno(diag, errno, "%s", part);
    if (!set_write(file, set))
        number = errno == 0 ? EIO : errno;
    if (close(file) != 0 && number == 0)
        number = errno;
    if (number == 0 && rename(part, path) != 0)
        number = errno;
    if (number == 0)
        return OK;
    (void)unlink(part); /* what is left of it is of no use */
    return diag_errno(diag, number, "%s", path);
}

static result sections_map(struct ruleset *set, const struct file_head *head, const char *path,
                           struct diag *diag)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < SECTION_COUNT; i++) {
        size_t bytes, end;

        if (head->element_bytes[i] != section_element_bytes[i] ||
            !size_mul(head->counts[i], section_element_bytes[i], &bytes) ||
            !size_add(head->offsets[i], bytes, &end) || end > set->map_bytes ||
            head->offsets[i] % FILE_ALIGN != 0)
            return diag_fail(diag, ERR_CORRUPT, "%s: a section lies outside the file", path);
        set->at[i] = (char *)set->map + head->offsets[i];
        set->count[i] = head->counts[i];
        sum = store_hash64(slice_of(set->at[i], bytes), sum);
    }
    if (sum != head->checksum)
        return diag_fail(diag, ERR_CORRUPT, "%s: its checksum is wrong", path);
    set->seed = head->seed;
    set->counts = head->rules;
    return OK;
}

static result head_check(const struct ruleset *set, struct file_head *head, const char *path,
                         struct diag *diag)
{
    if (set->map_bytes < sizeof(*head))
        return diag_fail(diag, ERR_CORRUPT, "%s: no ruleset", path);
    memcpy(head, set->map, sizeof(*head));
    if (head->magic != FILE_MAGIC)
        return diag_fail(diag, ERR_CORRUPT, "%s: no ruleset", path);
    if (head->format != FILE_FORMAT || head->byte_order != 1)
        return diag_fail(diag, ERR_CONFLICT, "%s: written by another version", path);
    if (head->head_checksum != head_sum(head) || head->file_bytes != set->map_bytes)
        return diag_fail(diag, ERR_CORRUPT, "%s: its head is damaged, or it is cut", path);
    return OK;
}

static result file_map(const char *path, struct ruleset *set, struct diag *diag)
{
    struct stat about;
    int file = open(path, O_RDONLY | O_CLOEXEC);

    if (file < 0)
        return diag_errno(diag, errno, "%s", path);
    if (fstat(file, &about) != 0 || about.st_size <= 0) {
        (void)close(file); /* read only */
        return diag_fail(diag, ERR_CORRUPT, "%s: no ruleset", path);
    }
    set->map_bytes = (size_t)about.st_size;
    set->map = mmap(NULL, set->map_bytes, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0);
    int number = errno;
    (void)close(file); /* read only */
    if (set->map == MAP_FAILED) {
        set->map = NULL;
        return diag_errno(diag, number, "%s", path);
    }
    return OK;
}

static result set_map(struct ruleset *set, const char *path, struct diag *diag)
{
    struct file_head head;

    TRY(file_map(path, set, diag));
    TRY(head_check(set, &head, path, diag));
    TRY(sections_map(set, &head, path, diag));
    return image_finish(set, diag);
}

result ruleset_map(const char *path, struct ruleset **out, struct diag *diag)
{
    size_t capacity = 0;
    struct ruleset *set = (struct ruleset *)table_grow(NULL, &capacity, 1, 1, sizeof(*set));
    result r;

    *out = NULL;
    if (set == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for a ruleset");
    memset(set, 0, sizeof(*set));
    atomic_init(&set->holders, 1);
    r = set_map(set, path, diag);
    if (failed(r))
        ruleset_release(&set);
    else
        *out = set;
    return r;
}
