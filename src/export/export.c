#include "export/export.h"

#include "base/encode.h"
#include "json/write.h"

#include "base/banned.h"

static slice object_text(void *context, const struct out_origin *origin)
{
    struct export *export = context;
    struct store_item item;

    if (origin->copy > 0)
        return export->copies[origin->copy - 1];
    return store_item_at(export->view, origin->seq, &item) ? item.text : SLICE_NONE;
}

static bool object_more(void *context, size_t index, slice *out)
{
    const struct export *export = context;

    if (index >= export->along_count)
        return false;
    *out = export->along[index];
    return true;
}

void export_write(struct export *export, const struct out_format *format, struct out_sink *sink)
{
    const struct export_choice *choice = &export->choice;
    struct out_job job = {
        .format = format,
        .set = &export->set,
        .head = export->head,
        .exact = {choice->is_suffix, choice->context, choice->exact_domains},
        .zone = choice->zone,
        .version = choice->version,
        .object = object_text,
        .more = object_more,
        .context = export,
    };

    out_write(&job, sink);
}

static slice format_name(const struct export *export)
{
    return export->choice.folder != NULL ? export->choice.folder->name
                                         : export->choice.format->name;
}

result export_note(const struct ledger *ledger, const struct export *export, slice actor,
                   slice query, uint64_t *number, struct diag *diag)
{
    CLEANUP(buf_free) struct buf body = BUF(LEDGER_ENTRY_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&body);
    char hex[2 * SHA256_BYTES];
    uint64_t made;

    if (export->head.indicators == 0)
        return OK;
    hex_encode(slice_of(export->root.bytes, SHA256_BYTES), hex);
    jw_object_begin(&w);
    jw_put_string(&w, SLICE("actor"), actor);
    jw_put_u64(&w, SLICE("collection"), export->choice.collection);
    jw_put_u64(&w, SLICE("count"), export->head.indicators);
    jw_put_string(&w, SLICE("format"), format_name(export));
    jw_put_string(&w, SLICE("query"), query);
    jw_put_string(&w, SLICE("root"), slice_of(hex, sizeof(hex)));
    jw_object_end(&w);
    if (body.overflowed)
        return diag_fail(diag, ERR_LIMIT, "no memory for an entry of the log");
    return ledger_note(ledger, SLICE("export"), buf_slice(&body), number != NULL ? number : &made,
                       diag);
}

static void time_put(struct json_writer *w, slice key, int64_t us)
{
    char text[TIMESTAMP_TEXT_BYTES_MAX];

    jw_key(w, key);
    if (us == INT64_MIN || us == INT64_MAX)
        jw_null(w);
    else
        jw_string(w, slice_of(text, time_format_us(us, text)));
}

void export_report(const struct export *export, struct json_writer *w)
{
    uint64_t left_out = 0;

    jw_put_string(w, SLICE("format"), format_name(export));
    jw_put_u64(w, SLICE("looked_at"), export->looked_at + export->head.left_out[OUT_WHY_WITHHELD]);
    jw_put_u64(w, SLICE("indicators"), export->head.indicators);
    jw_put_u64(w, SLICE("values"), out_set_count(&export->set, OUT_ALL));
    jw_put_u64(w, SLICE("repeated"), export->set.repeated);
    jw_put_u64(w, SLICE("within_others"), export->set.covered);
    time_put(w, SLICE("when"), export->head.as_of_us);
    time_put(w, SLICE("until"), export->head.until_us);
    jw_key(w, SLICE("left_out"));
    jw_object_begin(w);
    for (size_t i = 0; i < OUT_REASON_COUNT; i++) {
        left_out += export->head.left_out[i];
        if (export->head.left_out[i] > 0)
            jw_put_u64(w, out_reason_name((enum out_reason)i), export->head.left_out[i]);
    }
    jw_object_end(w);
    jw_put_u64(w, SLICE("left_out_total"), left_out);
}
