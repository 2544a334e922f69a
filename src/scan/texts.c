#include "scan/texts.h"

#include "base/banned.h"

struct text_scratch {
    const struct ruleset *set;
};

result texts_build(struct ruleset *set, struct diag *diag)
{
    (void)set;
    (void)diag;
    return OK;
}

void texts_free(struct ruleset *set)
{
    (void)set;
}

result text_scratch_new(const struct ruleset *set, struct text_scratch **out, struct diag *diag)
{
    size_t capacity = 0;

    *out = (struct text_scratch *)table_grow(NULL, &capacity, 1, 1, sizeof(**out));
    if (*out == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory");
    **out = (struct text_scratch){.set = set};
    return OK;
}

void text_scratch_free(struct text_scratch **scratch)
{
    table_free(*scratch);
    *scratch = NULL;
}

void texts_search(const struct ruleset *set, struct text_scratch *scratch, size_t open, slice value,
                  void (*found)(void *context, uint32_t part), void *context)
{
    const struct open_run *run = &set->open_runs[open];

    (void)scratch;
    (void)value;
    for (uint32_t i = 0; i < run->count; i++)
        found(context, image_opens(set)[run->first + i].part);
}

bool ruleset_text_may_hit(const struct ruleset *set, struct text_scratch *scratch, size_t open,
                          slice value)
{
    (void)scratch;
    (void)value;
    return set->open_runs[open].count > 0;
}
