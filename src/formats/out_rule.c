#include "formats/out_rule.h"

#include "base/arena.h"
#include "formats/out_inside.h"

#include "base/banned.h"

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._/=&?%+~@", c) != NULL);
}

void rule_content(struct buf *out, slice text)
{
    static const char digits[] = "0123456789ABCDEF";
    bool is_open = false;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];

        if (is_plain(c) == is_open)
            buf_byte(out, '|');
        else if (is_open)
            buf_byte(out, ' ');
        is_open = !is_plain(c);
        if (is_plain(c)) {
            buf_byte(out, c);
            continue;
        }
        buf_byte(out, digits[(uint8_t)c >> 4]);
        buf_byte(out, digits[(uint8_t)c & 15]);
    }
    if (is_open)
        buf_byte(out, '|');
}

void rule_words(struct buf *out, slice text)
{
    slice shown = slice_head(text, RULE_WORDS_MAX);

    for (size_t i = 0; i < shown.len; i++)
        buf_byte(out, is_plain(shown.at[i]) ? shown.at[i] : '_');
    if (shown.len < text.len)
        buf_put(out, SLICE("..."));
}

bool rule_sids_init(struct rule_sids *sids, size_t count)
{
    size_t slots = 64;

    while (slots < 2 * count)
        slots *= 2;
    sids->slots = table_grow(NULL, &sids->capacity, slots, 4 * OUT_VALUES_MAX, sizeof(uint32_t));
    if (sids->slots == NULL)
        return false;
    sids->mask = slots - 1;
    memset(sids->slots, 0, slots * sizeof(uint32_t));
    return true;
}

void rule_sids_free(struct rule_sids *sids)
{
    table_free(sids->slots);
    *sids = (struct rule_sids){0};
}

/* False when it is taken. */
static bool sid_take(struct rule_sids *sids, uint32_t sid)
{
    size_t i = (sid * UINT32_C(2654435761)) & sids->mask;

    for (; sids->slots[i] != 0; i = (i + 1) & sids->mask)
        if (sids->slots[i] == sid)
            return false;
    sids->slots[i] = sid;
    return true;
}

uint32_t rule_sid(struct rule_sids *sids, uint64_t tag, slice text)
{
    uint32_t sid = RULE_SID_FIRST + (uint32_t)(out_hash(tag, text) % RULE_SID_COUNT);

    while (!sid_take(sids, sid))
        sid = sid + 1 < RULE_SID_FIRST + RULE_SID_COUNT ? sid + 1 : RULE_SID_FIRST;
    return sid;
}
