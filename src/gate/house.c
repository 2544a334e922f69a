#include "gate/house.h"

#include "base/banned.h"

#define EXTENSIONS_MAX 256

static const char rule_text[] =
    "{\"type\":\"entente-agreement\",\"id\":\"house\",\"name\":\"The house rule\","
    "\"start_date\":\"1970-01-01T00:00:00Z\",\"parties\":[{\"id\":\"%.*s\"}],\"grants\":["
    "{\"provider\":\"%.*s\",\"recipients\":[],\"recipient_classes\":[\"self\"],"
    "\"tlp\":{\"max\":\"red\",\"unmarked\":\"clear\",\"red\":\"named-recipients\"},"
    "\"object_types\":{},\"absent_refs\":\"keep\",\"granular\":\"redact\",\"share_expired\":true},"
    "{\"provider\":\"%.*s\",\"recipients\":[],\"recipient_classes\":[\"client\"],"
    "\"tlp\":{\"max\":\"amber\",\"unmarked\":\"amber\",\"red\":\"refuse\"},"
    "\"pap\":{\"max\":\"amber\",\"unmarked\":\"clear\"},"
    "\"object_types\":{},\"absent_refs\":\"keep\",\"granular\":\"redact\",\"share_expired\":true},"
    "{\"provider\":\"%.*s\",\"recipients\":[],\"recipient_classes\":[\"public\"],"
    "\"tlp\":{\"max\":\"clear\",\"unmarked\":\"clear\",\"red\":\"refuse\"},"
    "\"pap\":{\"max\":\"clear\",\"unmarked\":\"clear\"},"
    "\"object_types\":{},\"absent_refs\":\"keep\",\"granular\":\"redact\",\"share_expired\":true}"
    "]}";

result house_rule(slice own, struct arena *arena, struct agreement *out, struct diag *diag)
{
    slice text = arena_printf(arena, rule_text, SLICE_ARG(own), SLICE_ARG(own), SLICE_ARG(own),
                              SLICE_ARG(own));
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    slice *signer = arena_new(arena, slice, 1);
    struct json_doc doc;

    if (signer == NULL || text.at == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for the house rule");
    TRY(json_parser_new(JSON_DEPTH_MAX, &parser, diag));
    TRY(json_parse_copy(parser, text, &doc, diag));
    doc.text = text; /* what is read from it outlives the parser */
    *signer = arena_copy(arena, own);
    agreement_read((struct value){&doc, doc.nodes}, (struct texts){signer, 1}, arena, out);
    if (out->broken != NULL || !out->is_signed || out->grant_count != HOUSE_GRANTS)
        return diag_fail(diag, ERR_CORRUPT, "the house rule cannot be read");
    return OK;
}

void house_rule_for(const struct agreement *rule, struct value object, struct arena *arena,
                    struct terms_grant grants[HOUSE_GRANTS], struct agreement *out)
{
    struct value extensions = value_get(object, SLICE("extensions"));
    slice *names = NULL;
    size_t count = 0;

    *out = *rule;
    if (!value_is_of(extensions, JSON_OBJECT))
        return;
    names = arena_new(arena, slice, EXTENSIONS_MAX);
    for (struct json_each each = json_each(extensions.doc, extensions.node);
         names != NULL && count < EXTENSIONS_MAX && json_next(&each);)
        names[count++] = json_string(extensions.doc, each.key, arena);
    for (size_t i = 0; i < HOUSE_GRANTS; i++) {
        grants[i] = rule->grants[i];
        grants[i].extensions = (struct texts){names, count};
    }
    out->grants = grants;
}
