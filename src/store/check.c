#include "store/check.h"

#include "ledger/tree.h"
#include "store/files.h"
#include "store/hash.h"

#include "base/banned.h"

#define ID_SHOWN_BYTES_MAX 300
#define CHECK_ARENA_BYTES_MAX ((size_t)1 << 30)

result checker_init(struct checker *checker, enum stix_mode mode, size_t depth_max,
                    bool keeps_findings, uint64_t seed, struct diag *diag)
{
    memset(checker, 0, sizeof(*checker));
    checker->scratch = BUF(4 * (size_t)SEGMENT_BYTES);
    checker->arena = ARENA(CHECK_ARENA_BYTES_MAX);
    term_sink_init(&checker->terms, NULL, seed);
    checker->mode = mode;
    checker->keeps_findings = keeps_findings;
    return json_parser_new(depth_max, &checker->parser, diag);
}

void checker_free(struct checker *checker)
{
    json_parser_free(&checker->parser);
    buf_free(&checker->scratch);
    arena_free(&checker->arena);
}

static void refuse(struct arena *arena, const struct diag *diag, struct checked *out)
{
    out->refused = true;
    out->why = diag->code;
    out->reason = arena_copy(arena, slice_text(diag->text));
}

/* The id of an object that may be refused before it was understood, for the report. */
static slice id_as_written(const struct json_doc *doc, struct arena *arena)
{
    const struct json_node *id = json_get(doc, &doc->nodes[0], SLICE("id"));

    if (id == NULL || id->kind != JSON_STRING)
        return SLICE_NONE;
    return slice_head(json_string(doc, id, arena), ID_SHOWN_BYTES_MAX);
}

static void record_fill(const struct stix_object *object, struct record *record)
{
    record->uuid = object->id.uuid;
    record->has_version = object->has_version;
    if (object->has_version)
        record->version = object->version;
    record->spec = (uint8_t)object->spec;
}

static result findings_keep(const struct checker *checker, struct arena *arena, struct checked *out,
                            struct diag *diag)
{
    if (!checker->keeps_findings || checker->findings.count == 0)
        return OK;
    struct stix_findings *kept = arena_new(arena, struct stix_findings, 1);
    if (kept == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for what was found");
    *kept = checker->findings;
    for (size_t i = 0; i < kept->count; i++) {
        kept->items[i].path = arena_copy(arena, kept->items[i].path);
        kept->items[i].text = arena_copy(arena, kept->items[i].text);
    }
    out->findings = kept;
    return OK;
}

static void put_out(struct checker *checker, const struct json_doc *doc,
                    const struct stix_object *object, struct buf *texts, struct buf *terms,
                    struct checked *out)
{
    out->text_at = texts->len;
    json_minify(doc, &doc->nodes[0], texts);
    out->text_bytes = texts->len - out->text_at;
    out->terms_at = terms->len;
    checker->terms.out = terms;
    terms_of(object, &checker->arena, &checker->terms);
    out->terms_bytes = terms->len - out->terms_at;
}

static result understand(struct checker *checker, slice text, struct arena *arena,
                         struct buf *texts, struct buf *terms, struct checked *out,
                         struct diag *diag)
{
    struct json_doc doc;
    struct stix_object object = {0};
    struct stix_findings *findings = &checker->findings;

    arena_reset(&checker->arena);
    findings->count = findings->more = 0;
    findings->refused = false;
    TRY(json_parse(checker->parser, text, &doc, diag));
    out->id = arena_copy(arena, id_as_written(&doc, &checker->arena));
    result r = stix_check(&doc, checker->mode, &checker->arena, &object, findings, diag);
    out->warned = findings->count > 0;
    TRY(findings_keep(checker, arena, out, diag));
    TRY(r);
    out->type = arena_copy(arena, object.id.type);
    record_fill(&object, &out->record);
    TRY(json_canonical_hash(&doc, &doc.nodes[0], &checker->scratch, &out->record.hash, diag));
    out->leaf = tree_leaf(slice_of(out->record.hash.bytes, SHA256_BYTES));
    put_out(checker, &doc, &object, texts, terms, out);
    if (texts->overflowed || terms->overflowed || arena->overflowed || checker->arena.overflowed)
        return diag_fail(diag, ERR_LIMIT, "no memory to check it in");
    if (out->text_bytes > SEGMENT_BYTES)
        return diag_fail(diag, ERR_LIMIT, "%zu bytes long, over the %llu of a segment",
                         out->text_bytes, (unsigned long long)SEGMENT_BYTES);
    out->record.text_bytes = (uint32_t)out->text_bytes;
    out->record.text_check = store_check32(slice_of(texts->at + out->text_at, out->text_bytes));
    return OK;
}

void check_object(struct checker *checker, slice text, struct arena *arena, struct buf *texts,
                  struct buf *terms, struct checked *out)
{
    struct diag diag = {0};

    *out = (struct checked){0};
    if (failed(understand(checker, text, arena, texts, terms, out, &diag)))
        refuse(arena, &diag, out);
}
