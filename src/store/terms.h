/* Terms: what an object can be found by, as short byte strings for the postings. */
#pragma once

#include "base/buf.h"
#include "stix/object.h"

enum term_field {
    TERM_TYPE = 1, /* code, 2 bytes: put in by the writer, who knows the codes */
    TERM_SPEC,     /* 1 byte */
    TERM_CREATOR,  /* from here on: hash of the text, 8 bytes */
    TERM_LABEL,
    TERM_MARKING,
    TERM_PHASE,
    TERM_VALUE,
    TERM_REF,
    TERM_WORD, /* the word itself and a zero byte */
};

#define TERM_SEEN_SLOTS 4096
#define TERM_WORDS_MAX 1000000 /* of one object; what stands behind is not found by its words */

struct term {
    slice bytes;
    uint64_t hash; /* with the store's seed: for tables in memory */
};

/* Collects an object's terms, each once, as: length, 1 byte | hash, 8 bytes | term. */
struct term_sink {
    struct buf *out; /* borrowed */
    uint64_t seed;
    uint32_t round; /* of the object: slots of older rounds are free */
    size_t seen_count;
    struct {
        uint64_t hash;
        uint32_t round;
    } seen[TERM_SEEN_SLOTS];
};

void term_sink_init(struct term_sink *sink, struct buf *out, uint64_t seed);
void terms_of(const struct stix_object *object, struct arena *arena, struct term_sink *sink);

/* The next term of what a sink wrote. */
bool term_next(slice *rest, struct term *term);

/* Into room for TERM_BYTES_MAX. */
slice term_hashed(enum term_field field, slice text, uint8_t *out);
slice term_word(slice word, bool is_prefix, uint8_t *out);
slice term_type(uint16_t code, uint8_t *out);
slice term_spec(enum stix_spec spec, uint8_t *out);

/* The texts whose words count: those of the object and the external ids. */
struct text_walk {
    const struct stix_object *object;
    struct arena *arena;
    size_t index;
    bool in_references;
    struct json_each references;
};
struct text_walk text_walk(const struct stix_object *object, struct arena *arena);
bool text_next(struct text_walk *walk, slice *text);

bool ref_is_marking(const struct stix_ref *ref);
