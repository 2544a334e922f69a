/* Decisions from texts: an agreement, an object and the definitions of markings, as JSON. */
#pragma once

#include "agreement/decide.h"
#include "rows.h"

#define A1 "identity--aaaaaaaa-0000-4000-8000-0000000000a1"
#define A2 "identity--aaaaaaaa-0000-4000-8000-0000000000a2"
#define CLEAR "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487"
#define GREEN "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"
#define AMBER "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421"
#define STRICT "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003"
#define RED "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"
#define NOW_US 1764000000000000 /* 2025-11-24 */

#define PARTIES "\"parties\":[{\"id\":\"" A1 "\"},{\"id\":\"" A2 "\"}]"
#define GRANT_ENDS "\"provider\":\"" A1 "\",\"recipients\":[\"" A2 "\"]"
#define AGREEMENT(terms)                                                                           \
    "{\"id\":\"agreement--x\",\"hash\":\"sha256:x\",\"start_date\":\"2025-01-01T00:00:"            \
    "00Z\"," PARTIES ",\"grants\":[{" GRANT_ENDS "," terms "}]}"
#define PLAIN_TERMS "\"tlp\":{\"max\":\"amber\"},\"object_types\":{},\"granular\":\"redact\""
#define INDICATOR(more)                                                                            \
    "{\"type\":\"indicator\",\"spec_version\":\"2.1\",\"id\":"                                     \
    "\"indicator--00000000-0000-4000-8000-000000000001\",\"created\":"                             \
    "\"2025-09-01T00:00:00.000Z\",\"modified\":\"2025-09-01T00:00:00.000Z\",\"pattern\":"          \
    "\"[ipv4-addr:value = '198.51.100.3']\",\"pattern_type\":\"stix\",\"valid_from\":"             \
    "\"2025-09-01T00:00:00Z\"" more "}"
#define MARKED(id) ",\"object_marking_refs\":[\"" id "\"]"

struct deciding_texts {
    struct json_parser *parsers[2];
    struct json_doc docs[2];
    struct arena arena;
    struct agreement agreement;
    struct decide_request request;
    struct decision decision;
};

static inline void deciding_open(struct deciding_texts *t)
{
    *t = (struct deciding_texts){.arena = ARENA((size_t)16 << 20)};
    for (size_t i = 0; i < 2; i++)
        assert_true(succeeded(json_parser_new(JSON_DEPTH_MAX, &t->parsers[i], NULL)));
    t->request = (struct decide_request){.provider = SLICE(A1),
                                         .recipient = SLICE(A2),
                                         .country = SLICE("ISR"),
                                         .now_us = NOW_US,
                                         .is_transit_encrypted = true,
                                         .is_rest_encrypted = true};
}

static inline void deciding_close(struct deciding_texts *t)
{
    for (size_t i = 0; i < 2; i++)
        json_parser_free(&t->parsers[i]);
    arena_free(&t->arena);
}

static inline struct value deciding_parse(struct deciding_texts *t, size_t which, slice text)
{
    struct diag diag = {0};

    if (failed(json_parse_copy(t->parsers[which], text, &t->docs[which], &diag)))
        fail_msg("%s: %.*s", diag.text, SLICE_ARG(text));
    return (struct value){&t->docs[which], &t->docs[which].nodes[0]};
}

/* Both parties have signed. */
static inline enum verdict deciding(struct deciding_texts *t, slice agreement, slice object)
{
    static const slice both[] = {S(A1), S(A2)};
    struct value document = deciding_parse(t, 0, agreement);

    agreement_read(document, (struct texts){both, 2}, &t->arena, &t->agreement);
    agreement_decide(&t->agreement, deciding_parse(t, 1, object), &t->request, &t->arena,
                     &t->decision);
    return t->decision.verdict;
}

static inline bool deciding_said(const struct deciding_texts *t, enum reason reason)
{
    for (size_t i = 0; i < t->decision.reason_count; i++)
        if (t->decision.reasons[i] == reason)
            return true;
    return false;
}
