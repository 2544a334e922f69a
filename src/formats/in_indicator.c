/* One indicator as a line of JSON. */
#include "base/time.h"
#include "base/uuid.h"
#include "formats/in_inside.h"
#include "json/write.h"

#include "base/banned.h"

#define DAY_US ((int64_t)86400 * 1000000)

/* docs/FORMATS.md: the ids of indicators that no one else gave one. */
static const struct uuid space = {{0x3d, 0x6c, 0x1b, 0x52, 0x0e, 0x7a, 0x5f, 0x43, 0x9a, 0x21, 0xc4,
                                   0x88, 0x5b, 0x0d, 0x96, 0x7e}};

slice in_tlp_id(slice word)
{
    static const struct {
        slice word, id;
    } levels[] = {
        {S("clear"), S("marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487")},
        {S("white"), S("marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487")},
        {S("green"), S("marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb")},
        {S("amber"), S("marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421")},
        {S("amber+strict"), S("marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003")},
        {S("red"), S("marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1")},
    };

    word = slice_trim(word);
    if (slice_eq_nocase(slice_head(word, 4), SLICE("tlp:")))
        word = slice_trim(slice_from(word, 4));
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
        if (slice_eq_nocase(word, levels[i].word))
            return levels[i].id;
    return SLICE("");
}

struct in_draft in_draft(const struct in *in)
{
    struct in_draft draft = {.from_us = in->choice.date_us,
                             .modified_us = in->choice.date_us,
                             .confidence = in->choice.confidence,
                             .marking = in->choice.marking};

    return draft;
}

static void time_put(struct json_writer *w, slice key, int64_t us)
{
    const struct timestamp when = {.us = us - ((us % 1000) + 1000) % 1000, .fraction = 3};
    char text[TIMESTAMP_TEXT_BYTES_MAX];

    jw_put_string(w, key, slice_of(text, timestamp_format(&when, text)));
}

static void labels_put(struct json_writer *w, const struct in_choice *choice,
                       const struct in_draft *draft)
{
    if (choice->label_count + draft->label_count == 0)
        return;
    jw_key(w, SLICE("labels"));
    jw_array_begin(w);
    for (size_t i = 0; i < choice->label_count; i++)
        jw_string(w, choice->labels[i]);
    for (size_t i = 0; i < draft->label_count; i++)
        jw_string(w, draft->labels[i]);
    jw_array_end(w);
}

static void extra_put(struct json_writer *w, const struct in_draft *draft)
{
    if (draft->extra_count == 0)
        return;
    jw_key(w, SLICE("x_columns"));
    jw_object_begin(w);
    for (size_t i = 0; i < draft->extra_count; i++)
        jw_put_string(w, draft->extra_names[i], draft->extra_values[i]);
    jw_object_end(w);
}

void in_indicator(struct in *in, const struct in_draft *draft)
{
    struct json_writer w = JSON_WRITER(&in->out);
    char id[10 + 2 + UUID_TEXT_BYTES] = "indicator--";
    int64_t modified = draft->modified_us > draft->from_us ? draft->modified_us : draft->from_us;
    int64_t until =
        draft->has_until ? draft->until_us : draft->from_us + in->choice.valid_days * DAY_US;
    struct uuid uuid = uuid_v5(&space, draft->pattern);

    uuid_format(&uuid, id + 11);
    jw_object_begin(&w);
    jw_put_string(&w, SLICE("type"), SLICE("indicator"));
    jw_put_string(&w, SLICE("spec_version"), SLICE("2.1"));
    jw_put_string(&w, SLICE("id"), slice_of(id, 11 + UUID_TEXT_BYTES));
    time_put(&w, SLICE("created"), draft->from_us);
    time_put(&w, SLICE("modified"), modified);
    if (draft->name.len > 0)
        jw_put_string(&w, SLICE("name"), draft->name);
    if (draft->description.len > 0)
        jw_put_string(&w, SLICE("description"), draft->description);
    jw_put_string(&w, SLICE("pattern"), draft->pattern);
    jw_put_string(&w, SLICE("pattern_type"), SLICE("stix"));
    time_put(&w, SLICE("valid_from"), draft->from_us);
    if (until > draft->from_us)
        time_put(&w, SLICE("valid_until"), until);
    if (draft->confidence >= 0)
        jw_put_u64(&w, SLICE("confidence"), (uint64_t)draft->confidence);
    labels_put(&w, &in->choice, draft);
    if (draft->marking.len > 0) {
        jw_key(&w, SLICE("object_marking_refs"));
        jw_array_begin(&w);
        jw_string(&w, draft->marking);
        jw_array_end(&w);
    }
    extra_put(&w, draft);
    jw_object_end(&w);
    buf_byte(&in->out, '\n');
    in->report.objects++;
}
