#include "store/terms.h"

#include "store/bytes.h"
#include "store/hash.h"
#include "store/postings.h"
#include "store/words.h"

#include <assert.h>

#include "base/banned.h"

#define TERM_HEAD_BYTES 9 /* length, hash */

void term_sink_init(struct term_sink *sink, struct buf *out, uint64_t seed)
{
    memset(sink, 0, sizeof(*sink));
    sink->out = out;
    sink->seed = seed;
}

slice term_hashed(enum term_field field, slice text, uint8_t *out)
{
    out[0] = (uint8_t)field;
    bytes_put(out + 1, store_hash64(text, 0), 8);
    return slice_of(out, 9);
}

slice term_word(slice word, bool is_prefix, uint8_t *out)
{
    assert(word.len <= WORD_BYTES_MAX);
    out[0] = TERM_WORD;
    memcpy(out + 1, word.at, word.len);
    out[1 + word.len] = 0;
    return slice_of(out, 1 + word.len + (is_prefix ? 0 : 1));
}

slice term_type(uint16_t code, uint8_t *out)
{
    out[0] = TERM_TYPE;
    bytes_put(out + 1, code, 2);
    return slice_of(out, 3);
}

slice term_spec(enum stix_spec spec, uint8_t *out)
{
    out[0] = TERM_SPEC;
    out[1] = (uint8_t)spec;
    return slice_of(out, 2);
}

/* Two terms of one object with the same 64-bit hash would lose one: nobody but the object's own
 * author could bring that about. */
static bool seen_before(struct term_sink *sink, uint64_t hash)
{
    size_t at = hash % TERM_SEEN_SLOTS;

    /* Past a full table each term is written again; the gatherer takes it once all the same. */
    if (sink->seen_count >= TERM_SEEN_SLOTS * 3 / 4)
        return false;
    for (; sink->seen[at].round == sink->round; at = (at + 1) % TERM_SEEN_SLOTS)
        if (sink->seen[at].hash == hash)
            return true;
    sink->seen[at].round = sink->round;
    sink->seen[at].hash = hash;
    sink->seen_count++;
    return false;
}

static void term_put(struct term_sink *sink, slice term)
{
    uint64_t hash = store_hash64(term, sink->seed);

    if (seen_before(sink, hash))
        return;
    /* In one step: a buf that overflows holds whole terms. */
    char *room = buf_reserve(sink->out, TERM_HEAD_BYTES + term.len);
    if (room == NULL)
        return;
    room[0] = (char)term.len;
    memcpy(room + 1, &hash, sizeof(hash));
    memcpy(room + TERM_HEAD_BYTES, term.at, term.len);
    sink->out->len += TERM_HEAD_BYTES + term.len;
}

static void term_put_hashed(struct term_sink *sink, enum term_field field, slice text)
{
    uint8_t bytes[TERM_BYTES_MAX];

    if (text.len > 0)
        term_put(sink, term_hashed(field, text, bytes));
}

struct text_walk text_walk(const struct stix_object *object, struct arena *arena)
{
    return (struct text_walk){.object = object, .arena = arena};
}

/* External ids ("T1566.001", "CVE-2021-44228") are what people search for before any word. */
static bool external_next(struct text_walk *walk, slice *text)
{
    const struct json_doc *doc = walk->object->doc;

    while (json_next(&walk->references)) {
        const struct json_node *id = json_get(doc, walk->references.value, SLICE("external_id"));

        if (id != NULL && id->kind == JSON_STRING) {
            *text = json_string(doc, id, walk->arena);
            return true;
        }
    }
    return false;
}

bool text_next(struct text_walk *walk, slice *text)
{
    const struct json_doc *doc = walk->object->doc;

    if (walk->index < walk->object->text_count) {
        *text = walk->object->texts[walk->index++];
        return true;
    }
    if (!walk->in_references) {
        const struct json_node *list = json_get(doc, &doc->nodes[0], SLICE("external_references"));

        walk->in_references = true;
        if (list == NULL || list->kind != JSON_ARRAY)
            return false;
        walk->references = json_each(doc, list);
    }
    return walk->references.cursor != NULL && external_next(walk, text);
}

static void terms_of_words(const struct stix_object *object, struct arena *arena,
                           struct term_sink *sink)
{
    struct text_walk texts = text_walk(object, arena);
    slice text;

    size_t count = 0;

    while (text_next(&texts, &text)) {
        struct word_walk words = WORD_WALK(text);
        uint8_t bytes[TERM_BYTES_MAX];

        while (count < TERM_WORDS_MAX && word_next(&words)) {
            term_put(sink, term_word(words.word, false, bytes));
            count++;
        }
    }
}

bool ref_is_marking(const struct stix_ref *ref)
{
    return slice_eq(ref->id.type, SLICE("marking-definition"));
}

static void terms_of_refs(const struct stix_object *object, struct term_sink *sink)
{
    for (size_t i = 0; i < object->ref_count; i++) {
        char text[STIX_ID_BYTES_MAX];
        slice id = slice_of(text, stix_id_format(&object->refs[i].id, text));

        term_put_hashed(sink, TERM_REF, id);
        if (ref_is_marking(&object->refs[i]))
            term_put_hashed(sink, TERM_MARKING, id);
    }
}

void terms_of(const struct stix_object *object, struct arena *arena, struct term_sink *sink)
{
    uint8_t bytes[TERM_BYTES_MAX];

    sink->round++;
    sink->seen_count = 0;
    term_put(sink, term_spec(object->spec, bytes));
    term_put_hashed(sink, TERM_CREATOR, object->created_by);
    for (size_t i = 0; i < object->label_count; i++)
        term_put_hashed(sink, TERM_LABEL, object->labels[i]);
    for (size_t i = 0; i < object->phase_count; i++) {
        slice chain = object->phases[i].chain, phase = object->phases[i].phase;

        term_put_hashed(sink, TERM_PHASE, phase);
        term_put_hashed(sink, TERM_PHASE,
                        arena_printf(arena, "%.*s/%.*s", SLICE_ARG(chain), SLICE_ARG(phase)));
    }
    for (size_t i = 0; i < object->value_count; i++)
        term_put_hashed(sink, TERM_VALUE, object->values[i].value);
    terms_of_refs(object, sink);
    terms_of_words(object, arena, sink);
}

bool term_next(slice *rest, struct term *term)
{
    if (rest->len == 0)
        return false;
    size_t len = (uint8_t)rest->at[0];
    assert(TERM_HEAD_BYTES + len <= rest->len);
    memcpy(&term->hash, rest->at + 1, sizeof(term->hash));
    term->bytes = slice_of(rest->at + TERM_HEAD_BYTES, len);
    *rest = slice_from(*rest, TERM_HEAD_BYTES + len);
    return true;
}
