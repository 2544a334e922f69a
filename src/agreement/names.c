#include "agreement/decide.h"

#include "base/banned.h"

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

slice verdict_name(enum verdict verdict)
{
    static const slice names[] = {
        [VERDICT_SHARE] = S("share"),
        [VERDICT_REDACT] = S("redact"),
        [VERDICT_REFUSE] = S("refuse"),
        [VERDICT_HOLD] = S("hold"),
    };

    return names[verdict];
}

static const struct {
    slice name, words;
} reasons[] = {
#define REASON(symbol, words) {S(#symbol), S(words)},
#include "agreement/reasons.def"
#undef REASON
};

slice reason_name(enum reason reason)
{
    return reasons[reason].name;
}

slice reason_words(enum reason reason)
{
    return reasons[reason].words;
}

enum recipient_class recipient_class_parse(slice text)
{
    static const slice names[] = {
        [RECIPIENT_PARTNER] = S("partner"), [RECIPIENT_SELF] = S("self"),
        [RECIPIENT_CLIENT] = S("client"),   [RECIPIENT_COMMUNITY] = S("community"),
        [RECIPIENT_PUBLIC] = S("public"),
    };

    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (slice_eq(names[i], text))
            return (enum recipient_class)i;
    return RECIPIENT_OTHER;
}

static void obligation_write(const struct obligation *owed, struct json_writer *w)
{
    CLEANUP(buf_free) struct buf text = BUF(1 << 20);

    buf_put(&text, owed->name);
    buf_byte(&text, '=');
    buf_put(&text, owed->value);
    jw_string(w, buf_slice(&text));
}

void decision_write(const struct decision *decision, struct json_writer *w)
{
    jw_put_string(w, SLICE("decision"), verdict_name(decision->verdict));
    jw_key(w, SLICE("reasons"));
    jw_array_begin(w);
    for (size_t i = 0; i < decision->reason_count; i++)
        jw_string(w, reason_name(decision->reasons[i]));
    jw_array_end(w);
    jw_key(w, SLICE("removed"));
    jw_array_begin(w);
    for (size_t i = 0; i < decision->removed_count; i++)
        jw_string(w, decision->removed[i]);
    jw_array_end(w);
    jw_key(w, SLICE("obligations"));
    jw_array_begin(w);
    for (size_t i = 0; i < decision->obligation_count; i++)
        obligation_write(&decision->obligations[i], w);
    jw_array_end(w);
    if (decision->result_tlp != TLP_NONE)
        jw_put_string(w, SLICE("result_tlp"), tlp_name(decision->result_tlp));
    if (decision->has_new_id)
        jw_put_bool(w, SLICE("new_id"), true);
    if (decision->until.at != NULL)
        jw_put_string(w, SLICE("until"), decision->until);
}
