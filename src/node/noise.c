#include "node/noise.h"

#include "scan/allow_keep.h"
#include "scan/build.h"

#include "base/banned.h"

result noise_open(const struct node *node, struct noise *out, struct diag *diag)
{
    struct allow_place place = node_allow(node);

    *out = (struct noise){0};
    TRY(allow_load(&place, &out->allow, diag));
    return suffixes_new(&out->suffixes, diag);
}

void noise_close(struct noise *noise)
{
    allow_free(&noise->allow);
    suffixes_free(&noise->suffixes);
}

bool noise_is_allowed(void *context, slice path, slice value)
{
    const struct noise *noise = context;

    return noise->allow != NULL && allow_covers(noise->allow, path, value, NULL);
}

bool noise_is_suffix(void *context, slice name)
{
    const struct noise *noise = context;

    return suffixes_has(noise->suffixes, name);
}
