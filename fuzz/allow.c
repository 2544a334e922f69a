/* A warning list from anyone: what is taken keeps its promises, and can be asked. */
#include <assert.h>

#include "match/network.h"
#include "scan/allow.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void asked(const struct allow *allow, slice kind, slice value)
{
    slice name = SLICE_NONE;

    assert(!allow_covers(allow, kind, value, &name) || name.len > 0);
}

static void list_holds(const struct allow_list *list)
{
    CLEANUP(allow_free) struct allow *allow = NULL;
    struct diag diag = {0};

    assert(list->name.len > 0 && list->name.len <= ALLOW_NAME_BYTES_MAX && list->value_count > 0);
    result r = allow_build(list, 1, &allow, &diag);
    assert(failed(r) == (diag.text[0] != '\0'));
    for (size_t i = 0; succeeded(r) && i < list->value_count && i < 64; i++) {
        slice value = list->values[i];

        /* A value is on its own list. */
        if (list->type == ALLOW_STRING && list->attribute_count == 0)
            assert(allow_covers(allow, SLICE("file:name"), value, NULL));
        if (list->type == ALLOW_SUBSTRING && list->attribute_count == 0)
            assert(allow_covers(allow, SLICE("file:name"), value, NULL));
        if (list->type == ALLOW_CIDR && list->attribute_count == 0)
            assert(allow_covers(allow, SLICE("ipv4-addr:value"), value, NULL));
        asked(allow, SLICE("url:value"), value);
        asked(allow, SLICE("domain-name:value"), value);
        asked(allow, SLICE("email-addr:value"), value);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int type = -1; type < ALLOW_TYPE_COUNT; type++) {
        CLEANUP(arena_free) struct arena arena = ARENA((size_t)64 << 20);
        struct allow_choice choice = {.name = SLICE("x"),
                                      .has_type = type >= 0,
                                      .type = type >= 0 ? (enum allow_type)type : ALLOW_STRING};
        struct allow_list list;
        struct diag diag = {0};

        result r = allow_read(slice_of(data, size), &choice, &arena, &list, &diag);
        assert(failed(r) == (diag.text[0] != '\0'));
        if (succeeded(r))
            list_holds(&list);
    }
    return 0;
}
