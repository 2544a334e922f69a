#include "scan/retro_file.h"

#include <stdio.h>

#include "base/time.h"
#include "store/hash.h"

#include "base/banned.h"

#define MAGIC SLICE("ENTRETR1")
#define PAGE_BYTES 4096
#define PAGE_BITS ((PAGE_BYTES - 8) * 8)
#define BITS_OF_KEY 10
#define PROBES 6
#define BLOCK_BYTES ((size_t)64 << 10)
#define BLOCK_ROW_BYTES 24 /* of the index: at 8, bytes 4, entries 4, check 8 */
#define HOUR_US ((int64_t)3600 * 1000000)
#define DOMAIN_LABELS_MAX 128

int retro_entry_order(const struct retro_entry *a, const struct retro_entry *b)
{
    int order = slice_cmp(a->path, b->path);

    return order != 0 ? order : slice_cmp(a->value, b->value);
}

void retro_name(int64_t hour, char out[RETRO_NAME_BYTES])
{
    char when[TIMESTAMP_TEXT_BYTES_MAX];

    (void)time_format_us(hour * HOUR_US, when);
    (void)snprintf(out, RETRO_NAME_BYTES, "%.13s.hour", when);
}

bool retro_name_read(slice name, int64_t *hour)
{
    struct timestamp time;
    char text[32];

    if (name.len != 18 || !slice_ends(name, SLICE(".hour")))
        return false;
    (void)snprintf(text, sizeof(text), "%.13s:00:00Z", name.at);
    if (!timestamp_parse(slice_text(text), &time))
        return false;
    *hour = time.us / HOUR_US;
    return time.us >= 0;
}

/* ---- the filter ---- */

struct probe {
    uint32_t page;
    uint32_t bits[PROBES];
};

static struct probe probe_of(uint64_t hash, uint32_t page_count)
{
    struct probe probe = {.page = (uint32_t)((hash >> 32) * page_count >> 32)};
    uint64_t step = (hash * 0x9e3779b97f4a7c15u) | 1, at = hash;

    for (int i = 0; i < PROBES; i++, at += step)
        probe.bits[i] = (uint32_t)((at & 0xffffffff) * PAGE_BITS >> 32);
    return probe;
}

static void page_check_put(uint8_t *page)
{
    uint64_t check = store_hash64(slice_of(page, PAGE_BYTES - 8), 0);

    for (int i = 0; i < 8; i++)
        page[PAGE_BYTES - 8 + i] = (uint8_t)(check >> (56 - 8 * i));
}

static bool page_check_holds(const uint8_t *page)
{
    struct reader reader = READER(slice_of(page + PAGE_BYTES - 8, 8));

    return read_u64(&reader) == store_hash64(slice_of(page, PAGE_BYTES - 8), 0);
}

/* ---- writing ---- */

void retro_writer_begin(struct retro_writer *writer, int64_t hour)
{
    *writer = (struct retro_writer){.blocks = BUF(RETRO_FILE_BYTES_MAX),
                                    .index = BUF((size_t)64 << 20),
                                    .paths = BUF((size_t)8 << 20),
                                    .keys = BUF(RETRO_FILE_BYTES_MAX),
                                    .hour = hour};
}

void retro_writer_free(struct retro_writer *writer)
{
    buf_free(&writer->blocks);
    buf_free(&writer->index);
    buf_free(&writer->paths);
    buf_free(&writer->keys);
}

static void block_end(struct retro_writer *writer)
{
    slice block = slice_from(buf_slice(&writer->blocks), writer->block_at);

    if (writer->block_entries == 0)
        return;
    buf_u64(&writer->index, writer->block_at);
    buf_u32(&writer->index, (uint32_t)block.len);
    buf_u32(&writer->index, writer->block_entries);
    buf_u64(&writer->index, store_hash64(block, 0));
    writer->block_count++;
    writer->block_at = writer->blocks.len;
    writer->block_entries = 0;
}

static void key_put(struct retro_writer *writer, slice value)
{
    buf_u64(&writer->keys, store_hash64(value, 0));
    writer->key_count++;
}

/* A domain is found by the names above it, too: each indicator for one of them hits it. */
static void keys_put(struct retro_writer *writer, const struct retro_entry *entry)
{
    slice value = entry->value, label;

    key_put(writer, value);
    if (!slice_starts(entry->path, SLICE("domain-name:")))
        return;
    for (int i = 0; i < DOMAIN_LABELS_MAX && slice_cut(value, '.', &label, &value); i++)
        key_put(writer, value);
}

void retro_writer_put(struct retro_writer *writer, const struct retro_entry *entry)
{
    slice before = slice_of(writer->value, writer->value_bytes);
    size_t shared = 0;

    if (writer->count == 0 || !slice_eq(entry->path, slice_of(writer->path, writer->path_bytes))) {
        buf_u16(&writer->paths, (uint16_t)entry->path.len);
        buf_put(&writer->paths, entry->path);
        writer->path_count++;
        writer->path_bytes = entry->path.len;
        memcpy(writer->path, entry->path.at, entry->path.len);
    }
    /* A block is read without the one before it. */
    while (writer->block_entries > 0 && shared < before.len && shared < entry->value.len &&
           before.at[shared] == entry->value.at[shared])
        shared++;
    buf_varint(&writer->blocks, writer->path_count - 1);
    buf_varint(&writer->blocks, entry->first_s);
    buf_varint(&writer->blocks, entry->last_s);
    buf_varint(&writer->blocks, shared);
    buf_varint(&writer->blocks, entry->value.len - shared);
    buf_put(&writer->blocks, slice_from(entry->value, shared));
    memcpy(writer->value, entry->value.at, entry->value.len);
    writer->value_bytes = entry->value.len;
    keys_put(writer, entry);
    writer->count++;
    writer->block_entries++;
    if (writer->blocks.len - writer->block_at >= BLOCK_BYTES)
        block_end(writer);
}

static void filter_write(struct retro_writer *writer, uint32_t page_count, struct buf *out)
{
    char *pages = buf_reserve(out, (size_t)page_count * PAGE_BYTES);
    struct reader keys = READER(buf_slice(&writer->keys));

    if (pages == NULL)
        return;
    memset(pages, 0, (size_t)page_count * PAGE_BYTES);
    for (uint64_t i = 0; i < writer->key_count; i++) {
        struct probe probe = probe_of(read_u64(&keys), page_count);

        for (int k = 0; k < PROBES; k++)
            pages[(size_t)probe.page * PAGE_BYTES + probe.bits[k] / 8] |=
                (char)(1 << probe.bits[k] % 8);
    }
    for (uint32_t i = 0; i < page_count; i++)
        page_check_put((uint8_t *)pages + (size_t)i * PAGE_BYTES);
    out->len += (size_t)page_count * PAGE_BYTES;
}

result retro_writer_end(struct retro_writer *writer, struct buf *out, struct diag *diag)
{
    uint32_t page_count = (uint32_t)(writer->key_count * BITS_OF_KEY / PAGE_BITS + 1);

    block_end(writer);
    buf_put(out, MAGIC);
    buf_u64(out, (uint64_t)writer->hour);
    buf_u64(out, writer->count);
    buf_u32(out, page_count);
    buf_u32(out, writer->block_count);
    buf_u32(out, writer->path_count);
    buf_u32(out, (uint32_t)writer->paths.len);
    buf_put(out, buf_slice(&writer->paths));
    buf_put(out, buf_slice(&writer->index));
    buf_u64(out, store_hash64(buf_slice(out), 0));
    filter_write(writer, page_count, out);
    buf_put(out, buf_slice(&writer->blocks));
    if (out->overflowed || writer->blocks.overflowed || writer->index.overflowed ||
        writer->paths.overflowed || writer->keys.overflowed)
        return diag_fail(diag, ERR_LIMIT, "an hour of more than %zu bytes", RETRO_FILE_BYTES_MAX);
    return OK;
}

/* ---- reading ---- */

static result corrupt(const struct retro_reader *reader, const char *what, struct diag *diag)
{
    return diag_fail(diag, ERR_CORRUPT, RETRO_FOLDER "/%s: %s", reader->name, what);
}

static result head_read(struct retro_reader *out, struct diag *diag)
{
    struct reader reader = READER(out->file.bytes);
    slice magic = read_bytes(&reader, MAGIC.len);
    uint64_t hour = read_u64(&reader);

    out->count = read_u64(&reader);
    uint32_t page_count = read_u32(&reader);
    out->block_count = read_u32(&reader);
    out->path_count = read_u32(&reader);
    slice paths = read_bytes(&reader, read_u32(&reader));
    out->index = read_bytes(&reader, (size_t)out->block_count * BLOCK_ROW_BYTES);
    size_t head_bytes = out->file.bytes.len - reader.rest.len;
    uint64_t check = read_u64(&reader);
    if (reader.broken || !slice_eq(magic, MAGIC))
        return corrupt(out, "is no hour of the record", diag);
    if (check != store_hash64(slice_head(out->file.bytes, head_bytes), 0))
        return corrupt(out, "its head fails its check", diag);
    out->filter = read_bytes(&reader, (size_t)page_count * PAGE_BYTES);
    out->bytes = reader.rest;
    if (reader.broken || page_count == 0 || (int64_t)hour != out->hour)
        return corrupt(out, "is cut short, or another hour's", diag);
    out->paths = out->path_count <= RETRO_PATHS_MAX
                     ? arena_new(&out->arena, slice, out->path_count + 1)
                     : NULL;
    if (out->paths == NULL)
        return diag_fail(diag, ERR_LIMIT, RETRO_FOLDER "/%s: too many paths", out->name);
    struct reader names = READER(paths);
    for (uint32_t i = 0; i < out->path_count; i++)
        out->paths[i] = read_bytes(&names, read_u16(&names));
    return names.broken ? corrupt(out, "its paths are broken", diag) : OK;
}

result retro_reader_open(const char *folder, int64_t hour, struct retro_reader *out,
                         struct diag *diag)
{
    *out = (struct retro_reader){.hour = hour, .arena = ARENA((size_t)1 << 20)};
    retro_name(hour, out->name);
    TRY(whole_map(folder, out->name, RETRO_FILE_BYTES_MAX, &out->file, diag));
    result r = head_read(out, diag);
    if (failed(r))
        retro_reader_close(out);
    return r;
}

void retro_reader_close(struct retro_reader *reader)
{
    whole_unmap(&reader->file);
    arena_free(&reader->arena);
}

result retro_reader_may_hold(const struct retro_reader *reader, slice value, bool *may,
                             struct diag *diag)
{
    struct probe probe =
        probe_of(store_hash64(value, 0), (uint32_t)(reader->filter.len / PAGE_BYTES));
    const uint8_t *page = (const uint8_t *)reader->filter.at + (size_t)probe.page * PAGE_BYTES;

    *may = true;
    if (!page_check_holds(page))
        return corrupt(reader, "a page of its filter fails its check", diag);
    for (int i = 0; *may && i < PROBES; i++)
        *may = (page[probe.bits[i] / 8] & 1 << probe.bits[i] % 8) != 0;
    return OK;
}

static result block_begin(struct retro_reader *reader, struct diag *diag)
{
    struct reader row = READER(slice_from(reader->index, (size_t)reader->block * BLOCK_ROW_BYTES));
    uint64_t at = read_u64(&row);
    uint32_t bytes = read_u32(&row);

    reader->left = read_u32(&row);
    uint64_t check = read_u64(&row);
    if (at > reader->bytes.len || bytes > reader->bytes.len - at)
        return corrupt(reader, "is cut short", diag);
    slice block = slice_head(slice_from(reader->bytes, at), bytes);
    if (check != store_hash64(block, 0))
        return corrupt(reader, "a block fails its check", diag);
    reader->in = READER(block);
    reader->block++;
    reader->value_bytes = 0;
    return OK;
}

result retro_reader_next(struct retro_reader *reader, struct retro_entry *out, bool *is_end,
                         struct diag *diag)
{
    *is_end = reader->left == 0 && reader->block == reader->block_count;
    if (*is_end)
        return OK;
    if (reader->left == 0)
        TRY(block_begin(reader, diag));
    uint64_t path = read_varint(&reader->in);
    out->first_s = (uint16_t)read_varint(&reader->in);
    out->last_s = (uint16_t)read_varint(&reader->in);
    uint64_t shared = read_varint(&reader->in), rest = read_varint(&reader->in);
    if (reader->in.broken || reader->left == 0 || path >= reader->path_count ||
        shared > reader->value_bytes || rest > RETRO_VALUE_BYTES_MAX - shared)
        return corrupt(reader, "an entry is broken", diag);
    slice tail = read_bytes(&reader->in, rest);
    if (reader->in.broken)
        return corrupt(reader, "an entry is broken", diag);
    memcpy(reader->value + shared, tail.at, tail.len);
    reader->value_bytes = shared + rest;
    reader->left--;
    out->path = reader->paths[path];
    out->value = slice_of(reader->value, reader->value_bytes);
    return OK;
}
