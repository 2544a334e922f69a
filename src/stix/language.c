#include "stix/check.h"

#include "base/banned.h"

/* STIX 2.1, 7.1: contents is a dictionary of languages, each a dictionary of properties and their
 * translations: strings, lists and dictionaries in the form of the original. */
static void check_translation(struct check *c, const struct json_node *language,
                              const struct json_node *texts)
{
    if (!syntax_holds(SYNTAX_LANGUAGE, text_of(c, language)))
        find(c, RULE_LANGUAGE, language, SLICE_NONE, "must be %s", syntax_words(SYNTAX_LANGUAGE));
    if (!expect(c, texts, JSON_OBJECT))
        return;
    for (struct json_each each = json_each(c->doc, texts); json_next(&each);) {
        if (each.value->kind == JSON_STRING)
            gather_text(c, text_of(c, each.value));
        else if (each.value->kind < JSON_STRING && each.value->kind != JSON_NULL)
            find(c, RULE_KIND, each.value, SLICE_NONE, "must be a string, a list or an object");
    }
}

void check_language_content(struct check *c, const struct members *m)
{
    const struct json_node *contents = member_of(m, SLICE("contents"));

    if (contents == NULL || !expect(c, contents, JSON_OBJECT))
        return;
    for (struct json_each each = json_each(c->doc, contents); json_next(&each);)
        check_translation(c, each.key, each.value);
    check_free(c, SLICE_NONE, contents);
}
